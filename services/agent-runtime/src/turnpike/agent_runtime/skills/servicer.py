"""Serves turnpike.api.agent_runtime.v1.SkillService."""

from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.skills.catalogue import Skills, Wish
from turnpike.agent_runtime.skills.conversion import (
    skill_to_proto,
    spec_from_proto,
    version_to_proto,
)
from turnpike.api.agent_runtime.v1 import skill_service_pb2 as pb
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import SkillServiceServicer
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context


class SkillServicer(SkillServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.SkillService."""

    def __init__(self, skills: Skills) -> None:
        self._skills = skills

    async def CreateSkill(
        self, request: pb.CreateSkillRequest, context: Context
    ) -> pb.CreateSkillResponse:
        wish = _wish(context, request.skill, request.validate_only)
        return pb.CreateSkillResponse(skill=skill_to_proto(await self._skills.create(wish)))

    async def GetSkill(self, request: pb.GetSkillRequest, context: Context) -> pb.GetSkillResponse:
        skill = await self._skills.get(person_of(context).tenant, request.name)
        return pb.GetSkillResponse(skill=skill_to_proto(skill))

    async def ListSkills(
        self, request: pb.ListSkillsRequest, context: Context
    ) -> pb.ListSkillsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, text)
        skills = await self._skills.page(
            person_of(context).tenant, after=cursor[0] if cursor else "", limit=size + 1
        )
        return pb.ListSkillsResponse(
            skills=[skill_to_proto(skill) for skill in skills[:size]],
            next_page_token=page_token(skills[size - 1].name) if len(skills) > size else "",
        )

    async def UpdateSkill(
        self, request: pb.UpdateSkillRequest, context: Context
    ) -> pb.UpdateSkillResponse:
        skill, change = await self._skills.update(
            _wish(context, request.skill, request.validate_only),
            etag=request.etag,
            allow_missing=request.allow_missing,
        )
        return pb.UpdateSkillResponse(skill=skill_to_proto(skill), change=f"CHANGE_{change}")

    async def DeleteSkill(
        self, request: pb.DeleteSkillRequest, context: Context
    ) -> pb.DeleteSkillResponse:
        person = person_of(context, least="admin")
        await self._skills.delete(
            person.tenant, request.name, by=person.principal, etag=request.etag
        )
        return pb.DeleteSkillResponse()

    async def ListSkillVersions(
        self, request: pb.ListSkillVersionsRequest, context: Context
    ) -> pb.ListSkillVersionsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, number)
        versions = await self._skills.versions(
            person_of(context).tenant,
            request.name,
            before=cursor[0] if cursor else None,
            limit=size + 1,
        )
        return pb.ListSkillVersionsResponse(
            versions=[version_to_proto(version) for version in versions[:size]],
            next_page_token=page_token(versions[size - 1].number) if len(versions) > size else "",
        )


def _wish(context: Context, skill: pb.Skill, validate_only: bool) -> Wish:
    person = person_of(context, least="admin")
    return Wish(
        tenant=person.tenant,
        by=person.principal,
        name=skill.name,
        spec=spec_from_proto(skill, "skill"),
        validate_only=validate_only,
    )
