"""Agents, and the versions that they are made of."""

from typing import Annotated, Any

from fastapi import APIRouter, Response
from pydantic import Field

from turnpike.api.agent_runtime.v1 import agent_pb2, agent_service_pb2
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.approval_rules import (
    ApprovalRules,
    ApprovalRulesReply,
    rules_message,
    rules_reply,
)
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.policy_shapes import (
    Patterns,
    Policy,
    PolicyReply,
    policy_message,
    policy_reply,
)
from turnpike.gateway.routes.replies import ETAG, changed, created, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Name, Reply, Request, Text, Time, check_name

_NAMES = {"agent.spec.": "", "agent.": ""}


class ToolSearch(Request):
    """When its model is given a search in place of its tools' definitions."""

    percent: Annotated[
        int,
        Field(ge=0, le=100, description="Of its context; 0: the operator's, 100: never."),
    ] = 0
    pinned: Annotated[Patterns, Field(max_length=100)] = Field(
        default=[], description="What it always sees."
    )


class AgentSpec(Request):
    """What makes an agent."""

    model: Name
    instructions: Annotated[Text, Field(max_length=200_000)] = ""
    tools: Patterns = Field(default=[])
    max_steps: Annotated[int, Field(ge=0, le=1000)] = 0
    policy: Policy = Policy()
    approvals: ApprovalRules | None = None
    tool_search: ToolSearch = ToolSearch()
    skills: Annotated[
        list[Name], Field(max_length=100, description="Names, in the order of its prompt.")
    ] = Field(default=[])


class NewAgent(AgentSpec):
    """An agent to create."""

    name: Name


class ChangedAgent(AgentSpec):
    """An agent as it shall be."""

    name: Name | None = None


class Activation(Request):
    """The version to make the active one."""

    version: Annotated[Text, Field(min_length=1, max_length=64)]


class ToolSearchReply(Reply):
    """When its model is given a search in place of its tools' definitions."""

    percent: int
    pinned: list[str]


class Spec(Reply):
    """What an agent is made of."""

    model: str
    instructions: str
    tools: list[str]
    max_steps: int
    policy: PolicyReply
    approvals: ApprovalRulesReply | None
    tool_search: ToolSearchReply
    skills: list[str]


class Agent(Reply):
    """A name for versions, one of which is active."""

    name: str
    model: str
    instructions: str
    tools: list[str]
    max_steps: int
    policy: PolicyReply
    approvals: ApprovalRulesReply | None
    tool_search: ToolSearchReply
    skills: list[str]
    version: str = Field(description="The id of the active version.")
    version_number: int
    etag: str
    created: Time
    updated: Time


class AgentPage(Reply):
    """A page of agents, by name."""

    agents: list[Agent]
    next_page_token: str


class AgentVersion(Reply):
    """An immutable version of an agent."""

    id: str
    number: int
    active: bool
    spec: Spec
    created: Time


class AgentVersionPage(Reply):
    """A page of versions, newest first."""

    versions: list[AgentVersion]
    next_page_token: str


class AgentRoutes:
    """`/api/v1/agents`."""

    def __init__(self, agents: AgentServiceStub) -> None:
        self._agents = agents

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Agent,
            page=AgentPage,
            list_page=self.list_agents,
            create=self.create_agent,
            get=self.get_agent,
            put=self.put_agent,
            delete=self.delete_agent,
        ).add_to(router, "/api/v1/agents")
        router.add_api_route(
            "/api/v1/agents/{name:name}/versions",
            self.list_versions,
            methods=["GET"],
            response_model=AgentVersionPage,
            responses=problems(404),
        )
        router.add_api_route(
            "/api/v1/agents/{name:name}:activate",
            self.activate_version,
            methods=["POST"],
            response_model=Agent,
            responses=problems(404, 413, 415) | {200: {"headers": ETAG}},
        )
        return router

    async def list_agents(self, call: CurrentCall, page: Page) -> Response:
        """Lists agents by name."""
        request = agent_service_pb2.ListAgentsRequest(**page)
        response = await call.read(self._agents.ListAgents, request)
        agents = [_agent(each) for each in response.agents]
        return reply(AgentPage(agents=agents, next_page_token=response.next_page_token))

    async def create_agent(
        self, call: CurrentCall, body: NewAgent, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates an agent with its first version."""
        agent = agent_pb2.Agent(name=body.name, spec=spec_message(body))
        request = agent_service_pb2.CreateAgentRequest(agent=agent, validate_only=validate_only)
        response = await call.change(self._agents.CreateAgent, request, _NAMES)
        return created(_agent(response.agent), "/api/v1/agents", validate_only=validate_only)

    async def get_agent(self, call: CurrentCall, name: str) -> Response:
        """Returns an agent as it is now."""
        request = agent_service_pb2.GetAgentRequest(name=name)
        return tagged(_agent((await call.read(self._agents.GetAgent, request)).agent))

    async def put_agent(
        self, call: CurrentCall, name: str, body: ChangedAgent, write: CurrentWrite
    ) -> Response:
        """Makes an agent what the body says: a new version, active at once, or nothing."""
        check_name(body.name, name)
        request = agent_service_pb2.UpdateAgentRequest(
            agent=agent_pb2.Agent(name=name, spec=spec_message(body)), **write.update
        )
        response = await call.read(self._agents.UpdateAgent, request, _NAMES)
        return changed(_agent(response.agent), response.change, write)

    async def delete_agent(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes an agent; turns that run keep their version."""
        request = agent_service_pb2.DeleteAgentRequest(name=name, etag=if_match(tag))
        await call.change(self._agents.DeleteAgent, request)
        return Response(status_code=204)

    async def list_versions(self, call: CurrentCall, name: str, page: Page) -> Response:
        """Lists an agent's versions, newest first."""
        request = agent_service_pb2.ListAgentVersionsRequest(name=name, **page)
        response = await call.read(self._agents.ListAgentVersions, request)
        versions = [_version(each) for each in response.versions]
        return reply(AgentVersionPage(versions=versions, next_page_token=response.next_page_token))

    async def activate_version(self, call: CurrentCall, name: str, body: Activation) -> Response:
        """Makes a version the active one, at once: roll back or forward."""
        request = agent_service_pb2.ActivateAgentVersionRequest(name=name, version=body.version)
        response = await call.read(self._agents.ActivateAgentVersion, request)
        return tagged(_agent(response.agent))


def spec_message(spec: AgentSpec) -> agent_pb2.AgentSpec:
    """Returns a spec as the services know it."""
    return agent_pb2.AgentSpec(
        model=spec.model,
        instructions=spec.instructions,
        tools=spec.tools,
        max_steps=spec.max_steps,
        policy=policy_message(spec.policy),
        approvals=rules_message(spec.approvals) if spec.approvals else None,
        tool_search=agent_pb2.ToolSearch(
            percent=spec.tool_search.percent, pinned=spec.tool_search.pinned
        ),
        skills=spec.skills,
    )


def _fields(spec: agent_pb2.AgentSpec) -> dict[str, Any]:
    return {
        "model": spec.model,
        "instructions": spec.instructions,
        "tools": list(spec.tools),
        "max_steps": spec.max_steps,
        "policy": policy_reply(spec.policy),
        "approvals": rules_reply(spec.approvals) if spec.HasField("approvals") else None,
        "tool_search": ToolSearchReply(
            percent=spec.tool_search.percent, pinned=list(spec.tool_search.pinned)
        ),
        "skills": list(spec.skills),
    }


def _agent(agent: agent_pb2.Agent) -> Agent:
    return Agent(
        name=agent.name,
        **_fields(agent.spec),
        version=agent.version,
        version_number=agent.version_number,
        etag=agent.etag,
        created=rfc3339(agent.create_time),
        updated=rfc3339(agent.update_time),
    )


def _version(version: agent_pb2.AgentVersion) -> AgentVersion:
    return AgentVersion(
        id=version.id,
        number=version.number,
        active=version.active,
        spec=Spec(**_fields(version.spec)),
        created=rfc3339(version.create_time),
    )
