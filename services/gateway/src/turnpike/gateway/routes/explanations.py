"""What all that is said of tool calls comes to."""

from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Response
from pydantic import Field, StringConstraints

from turnpike.api.agent_runtime.v1 import policy_service_pb2 as pb
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.gateway.routes.replies import problems, reply
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text


class Question(Request):
    """A call that nobody makes."""

    agent: Name
    tool: Annotated[
        str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_./-]+$", max_length=300)
    ]
    arguments: dict[str, Any] = Field(default={})
    principal: Annotated[
        Text, Field(max_length=64, description="For whom: a principal's id; yourself else.")
    ] = ""
    skills: Annotated[
        list[Name],
        Field(max_length=100, description="Those of its skills that count as loaded."),
    ] = Field(default=[])


class Explanation(Reply):
    """What would become of a call, and why."""

    verdict: str = Field(description="`ALLOW`, `ASK`, `DENY` or `REJECT`.")
    reason: str
    source: str = Field(
        description="What decided: `OFF`, `TENANT`, `AGENT`, `MODE`, `DEFAULTS`, `SKILL`,"
        " `PERSON`, `GRANT`, `ANNOTATION` or `NOTHING`."
    )
    rule: str
    skill: str = Field(description="The skill whose rule decided.")
    decisions: list[str] = Field(description="What a person may decide, when one is asked.")
    known: bool = Field(description="Whether the agent has the tool.")
    tenant_policy: str
    person_policy: str
    agent_version: str


class ExplanationRoutes:
    """`/api/v1/policies:explain`."""

    def __init__(self, policies: PolicyServiceStub) -> None:
        self._policies = policies

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the route."""
        router = entrance.router()
        router.add_api_route(
            "/api/v1/policies:explain",
            self.explain,
            methods=["POST"],
            response_model=Explanation,
            responses=problems(404, 413, 415),
        )
        return router

    async def explain(self, call: CurrentCall, body: Question) -> Response:
        """Says what would become of a call, and why; nothing is called."""
        request = pb.ExplainRequest(
            agent=body.agent,
            tool=body.tool,
            arguments=orjson.dumps(body.arguments).decode(),
            principal=body.principal,
            skills=body.skills,
        )
        told = await call.read(self._policies.Explain, request)
        return reply(
            Explanation(
                verdict=pb.Verdict.Name(told.verdict).removeprefix("VERDICT_"),
                reason=told.reason,
                source=told.source,
                rule=told.rule,
                skill=told.skill,
                decisions=list(told.decisions),
                known=told.known,
                tenant_policy=told.tenant_policy,
                person_policy=told.person_policy,
                agent_version=told.agent_version,
            )
        )
