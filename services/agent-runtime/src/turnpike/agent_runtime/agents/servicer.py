"""Serves turnpike.api.agent_runtime.v1.AgentService."""

from uuid import UUID

from turnpike.agent_runtime.agents.catalogue import Agents, Wish
from turnpike.agent_runtime.agents.conversion import spec_from_proto, spec_to_proto
from turnpike.agent_runtime.agents.defaults import DefaultAgent
from turnpike.agent_runtime.agents.store import Agent, AgentVersion
from turnpike.agent_runtime.agents.wording import CheckText, names_variables
from turnpike.agent_runtime.callers import person_of
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.api.agent_runtime.v1 import agent_pb2
from turnpike.api.agent_runtime.v1 import agent_service_pb2 as pb
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceServicer
from turnpike.rpc.paging import cursor_of, number, page_size, page_token, text
from turnpike.rpc.served import Context


class AgentServicer(AgentServiceServicer):
    """Serves turnpike.api.agent_runtime.v1.AgentService."""

    def __init__(self, agents: Agents, default: DefaultAgent | None, check: CheckText) -> None:
        self._check = check
        self._agents = agents
        self._default = default

    async def CreateAgent(
        self, request: pb.CreateAgentRequest, context: Context
    ) -> pb.CreateAgentResponse:
        wish = await self._wish(context, request.agent, request.validate_only)
        return pb.CreateAgentResponse(agent=_agent_to_proto(await self._agents.create(wish)))

    async def GetAgent(self, request: pb.GetAgentRequest, context: Context) -> pb.GetAgentResponse:
        await self._offer_default(context)
        agent = await self._agents.get(person_of(context).tenant, request.name)
        return pb.GetAgentResponse(agent=_agent_to_proto(agent))

    async def ListAgents(
        self, request: pb.ListAgentsRequest, context: Context
    ) -> pb.ListAgentsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, text)
        await self._offer_default(context)
        agents = await self._agents.page(
            person_of(context).tenant, after=cursor[0] if cursor else "", limit=size + 1
        )
        return pb.ListAgentsResponse(
            agents=[_agent_to_proto(agent) for agent in agents[:size]],
            next_page_token=page_token(agents[size - 1].name) if len(agents) > size else "",
        )

    async def UpdateAgent(
        self, request: pb.UpdateAgentRequest, context: Context
    ) -> pb.UpdateAgentResponse:
        agent, change = await self._agents.update(
            await self._wish(context, request.agent, request.validate_only),
            etag=request.etag,
            allow_missing=request.allow_missing,
        )
        return pb.UpdateAgentResponse(agent=_agent_to_proto(agent), change=f"CHANGE_{change}")

    async def DeleteAgent(
        self, request: pb.DeleteAgentRequest, context: Context
    ) -> pb.DeleteAgentResponse:
        tenant = person_of(context, least="admin").tenant
        await self._agents.delete(tenant, request.name, etag=request.etag)
        return pb.DeleteAgentResponse()

    async def ListAgentVersions(
        self, request: pb.ListAgentVersionsRequest, context: Context
    ) -> pb.ListAgentVersionsResponse:
        size, cursor = page_size(request.page_size), cursor_of(request.page_token, number)
        versions = await self._agents.versions(
            person_of(context).tenant,
            request.name,
            before=cursor[0] if cursor else None,
            limit=size + 1,
        )
        more = page_token(versions[size - 1].number) if len(versions) > size else ""
        return pb.ListAgentVersionsResponse(
            versions=[_version_to_proto(version) for version in versions[:size]],
            next_page_token=more,
        )

    async def ActivateAgentVersion(
        self, request: pb.ActivateAgentVersionRequest, context: Context
    ) -> pb.ActivateAgentVersionResponse:
        tenant = person_of(context, least="admin").tenant
        agent = await self._agents.activate(tenant, request.name, _version_id(request.version))
        return pb.ActivateAgentVersionResponse(agent=_agent_to_proto(agent))

    async def _wish(self, context: Context, agent: agent_pb2.Agent, validate_only: bool) -> Wish:
        person = person_of(context, least="admin")
        wish = Wish(
            tenant=person.tenant,
            by=person.principal,
            name=agent.name,
            spec=spec_from_proto(agent.spec, "agent.spec"),
            validate_only=validate_only,
        )
        if names_variables(wish.spec.instructions):
            await self._check(
                wish.tenant, wish.by, wish.spec.instructions, "agent.spec.instructions"
            )
        return wish

    async def _offer_default(self, context: Context) -> None:
        if self._default is not None:
            person = person_of(context)
            await self._default.ensure(person.tenant, person.principal)


def _version_id(version: str) -> UUID:
    try:
        return UUID(version)
    except ValueError:
        raise NotFoundError("agent version", version) from None


def _agent_to_proto(agent: Agent) -> agent_pb2.Agent:
    return agent_pb2.Agent(
        name=agent.name,
        spec=spec_to_proto(agent.spec),
        version=str(agent.version),
        version_number=agent.number,
        etag=agent.etag,
        create_time=agent.created,
        update_time=agent.updated,
    )


def _version_to_proto(version: AgentVersion) -> agent_pb2.AgentVersion:
    return agent_pb2.AgentVersion(
        id=str(version.id),
        number=version.number,
        spec=spec_to_proto(version.spec),
        active=version.active,
        create_time=version.created,
    )
