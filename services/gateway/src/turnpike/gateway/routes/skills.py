"""Skills: instructions that agents' models load when they need them."""

from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import SkillServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.policy_shapes import (
    RuleReply,
    SkillRule,
    rule_messages,
    rule_replies,
)
from turnpike.gateway.routes.replies import changed, created, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text, Time, check_name

_NAMES = {"skill.": ""}


class SkillSpec(Request):
    """Instructions for one kind of task."""

    description: Annotated[
        Text,
        Field(
            min_length=1,
            max_length=1024,
            description="What it is for: all that a model sees of it before it loads it.",
        ),
    ]
    instructions: Annotated[
        Text, Field(min_length=1, max_length=65_536, description="Markdown; 64 KiB at most.")
    ]
    rules: Annotated[
        list[SkillRule],
        Field(max_length=1000, description="Of calls once it is loaded; they only tighten."),
    ] = Field(default=[])


class NewSkill(SkillSpec):
    """A skill to create."""

    name: Name


class ChangedSkill(SkillSpec):
    """A skill as it shall be."""

    name: Name | None = None


class Skill(Reply):
    """Instructions for one kind of task."""

    name: str
    description: str
    instructions: str
    rules: list[RuleReply]
    version: str = Field(description="The id of the version that turns get that begin now.")
    version_number: int
    etag: str
    created: Time
    updated: Time


class SkillPage(Reply):
    """A page of skills, by name."""

    skills: list[Skill]
    next_page_token: str


class SkillVersion(Reply):
    """What a skill was from one change to the next."""

    id: str
    number: int
    active: bool
    description: str
    instructions: str
    rules: list[RuleReply]
    created: Time


class SkillVersionPage(Reply):
    """A page of versions, newest first."""

    versions: list[SkillVersion]
    next_page_token: str


class SkillRoutes:
    """`/api/v1/skills`."""

    def __init__(self, skills: SkillServiceStub) -> None:
        self._skills = skills

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Skill,
            page=SkillPage,
            list_page=self.list_skills,
            create=self.create_skill,
            get=self.get_skill,
            put=self.put_skill,
            delete=self.delete_skill,
        ).add_to(router, "/api/v1/skills")
        router.add_api_route(
            "/api/v1/skills/{name:name}/versions",
            self.list_versions,
            methods=["GET"],
            response_model=SkillVersionPage,
            responses=problems(404),
        )
        return router

    async def list_skills(self, call: CurrentCall, page: Page) -> Response:
        """Lists skills by name."""
        request = pb.ListSkillsRequest(**page)
        response = await call.read(self._skills.ListSkills, request)
        skills = [_skill(each) for each in response.skills]
        return reply(SkillPage(skills=skills, next_page_token=response.next_page_token))

    async def create_skill(
        self, call: CurrentCall, body: NewSkill, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates a skill with its first version."""
        request = pb.CreateSkillRequest(
            skill=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._skills.CreateSkill, request, _NAMES)
        return created(_skill(response.skill), "/api/v1/skills", validate_only=validate_only)

    async def get_skill(self, call: CurrentCall, name: str) -> Response:
        """Returns a skill as it is now."""
        response = await call.read(self._skills.GetSkill, pb.GetSkillRequest(name=name))
        return tagged(_skill(response.skill))

    async def put_skill(
        self, call: CurrentCall, name: str, body: ChangedSkill, write: CurrentWrite
    ) -> Response:
        """Makes a skill what the body says, for turns that begin after this."""
        check_name(body.name, name)
        request = pb.UpdateSkillRequest(skill=_message(name, body), **write.update)
        response = await call.read(self._skills.UpdateSkill, request, _NAMES)
        return changed(_skill(response.skill), response.change, write)

    async def delete_skill(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes a skill that no agent names; turns that run keep it."""
        request = pb.DeleteSkillRequest(name=name, etag=if_match(tag))
        await call.change(self._skills.DeleteSkill, request)
        return Response(status_code=204)

    async def list_versions(self, call: CurrentCall, name: str, page: Page) -> Response:
        """Lists a skill's versions, newest first."""
        request = pb.ListSkillVersionsRequest(name=name, **page)
        response = await call.read(self._skills.ListSkillVersions, request)
        versions = [_version(each) for each in response.versions]
        return reply(SkillVersionPage(versions=versions, next_page_token=response.next_page_token))


def _message(name: str, spec: SkillSpec) -> pb.Skill:
    return pb.Skill(
        name=name,
        description=spec.description,
        instructions=spec.instructions,
        rules=rule_messages(spec.rules),
    )


def _skill(skill: pb.Skill) -> Skill:
    return Skill(
        name=skill.name,
        description=skill.description,
        instructions=skill.instructions,
        rules=rule_replies(skill.rules),
        version=skill.version,
        version_number=skill.version_number,
        etag=skill.etag,
        created=rfc3339(skill.create_time),
        updated=rfc3339(skill.update_time),
    )


def _version(version: pb.SkillVersion) -> SkillVersion:
    return SkillVersion(
        id=version.id,
        number=version.number,
        active=version.active,
        description=version.description,
        instructions=version.instructions,
        rules=rule_replies(version.rules),
        created=rfc3339(version.create_time),
    )
