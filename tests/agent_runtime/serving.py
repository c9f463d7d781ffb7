"""Runtimes served as in production, beside a real gatekeeper and a real registry."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import grpc

from tests.channels import channel_to
from tests.conftest import Keys
from tests.gatekeeper import serving as gatekeepers
from tests.waiting import until
from turnpike.agent_runtime.__main__ import open_replica
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.turns.ownership import Owner
from turnpike.api.agent_runtime.v1 import agent_pb2, agent_service_pb2, model_service_pb2
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import AuditServiceStub
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceStub
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import ProviderKeyServiceStub
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import SkillServiceStub
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    ContentPart,
    GetTurnRequest,
    StartTurnRequest,
)
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.identity import Signer, bearer

Metadata = tuple[tuple[str, str], ...]

SECRET_KEY = base64.b64encode(bytes([9] * 32)).decode()


@dataclass(frozen=True)
class Peers:
    """Where the services are that a runtime needs."""

    gatekeeper: str
    tool_registry: str


def settings_for(
    urls: MigrationUrls, redis_url: str, keys: Keys, peers: Peers, **others: Any
) -> Settings:
    """Returns a replica's settings; `others` override."""
    values: dict[str, Any] = {
        "database_url": urls.service,
        "system_database_url": urls.system,
        "redis_url": redis_url,
        "gatekeeper_target": peers.gatekeeper,
        "tool_registry_target": peers.tool_registry,
        "signing_key": keys.signing("agent-runtime"),
        "trusted_keys": keys.trusted,
        "secret_keys": {"k1": SECRET_KEY},
        "egress_allow_private": True,
        "replica_name": f"agent-runtime-{uuid4()}",
        **others,
    }
    return Settings(**values)


@dataclass(frozen=True)
class Runtime:
    """A replica, as its callers see it; `owner` is its inside."""

    channel: grpc.aio.Channel
    owner: Owner
    keys: Keys
    turns: TurnServiceStub = field(init=False)
    threads: ThreadServiceStub = field(init=False)
    agents: AgentServiceStub = field(init=False)
    models: ModelServiceStub = field(init=False)
    provider_keys: ProviderKeyServiceStub = field(init=False)
    approvals: ApprovalServiceStub = field(init=False)
    policies: PolicyServiceStub = field(init=False)
    audit: AuditServiceStub = field(init=False)
    files: FileServiceStub = field(init=False)
    skills: SkillServiceStub = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "turns", TurnServiceStub(self.channel))
        object.__setattr__(self, "threads", ThreadServiceStub(self.channel))
        object.__setattr__(self, "agents", AgentServiceStub(self.channel))
        object.__setattr__(self, "models", ModelServiceStub(self.channel))
        object.__setattr__(self, "provider_keys", ProviderKeyServiceStub(self.channel))
        object.__setattr__(self, "approvals", ApprovalServiceStub(self.channel))
        object.__setattr__(self, "policies", PolicyServiceStub(self.channel))
        object.__setattr__(self, "audit", AuditServiceStub(self.channel))
        object.__setattr__(self, "files", FileServiceStub(self.channel))
        object.__setattr__(self, "skills", SkillServiceStub(self.channel))


@dataclass(frozen=True)
class Tenant:
    """A tenant that gatekeeper knows, with its admin, on one replica."""

    runtime: Runtime
    made: gatekeepers.Tenant

    @property
    def id(self) -> str:
        return self.made.id

    @property
    def admin(self) -> Metadata:
        """The metadata of the admin's calls."""
        return self.made.as_admin

    def on(self, runtime: Runtime) -> "Tenant":
        """Returns the same tenant on another replica."""
        return Tenant(runtime, self.made)

    def somebody(self, role: str = "member", principal: str = "") -> Metadata:
        """The metadata of another principal's calls."""
        signer = Signer("gatekeeper", self.runtime.keys.seeds["gatekeeper"])
        token, _ = signer.principal_token(
            tenant=self.id, principal=principal or str(uuid4()), role=role
        )
        return bearer(token)

    async def model(self, name: str = "model", **fields: Any) -> model_service_pb2.Model:
        """Makes a model what the fields say; the scripted one without any."""
        values: dict[str, Any] = {"provider": "scripted", "model": "built-in", **fields}
        request = model_service_pb2.UpdateModelRequest(
            model=model_service_pb2.Model(name=name, **values), allow_missing=True
        )
        response = await self.runtime.models.UpdateModel(request, metadata=self.admin)
        return response.model

    async def agent(self, name: str = "agent", **fields: Any) -> agent_pb2.Agent:
        """Makes an agent what the fields of its spec say; its model is to be there."""
        values: dict[str, Any] = {"model": "model", **fields}
        spec = agent_pb2.AgentSpec(**values)
        request = agent_service_pb2.UpdateAgentRequest(
            agent=agent_pb2.Agent(name=name, spec=spec), allow_missing=True
        )
        response = await self.runtime.agents.UpdateAgent(request, metadata=self.admin)
        return response.agent

    async def start(
        self, text: str = "hello", *, metadata: Metadata | None = None, **fields: Any
    ) -> Turn:
        """Starts a turn of `agent` in a new thread, unless the fields say otherwise."""
        if "inline_agent" not in fields:
            fields.setdefault("agent", "agent")
        request = StartTurnRequest(input=[ContentPart(text=text)], **fields)
        response = await self.runtime.turns.StartTurn(request, metadata=metadata or self.admin)
        return response.turn

    async def turn(self, turn: str) -> Turn:
        """Returns a turn as it stands."""
        response = await self.runtime.turns.GetTurn(GetTurnRequest(turn=turn), metadata=self.admin)
        return response.turn

    async def ended(self, turn: str) -> Turn:
        """Returns a turn when it has ended."""
        found = await self.turn(turn)

        async def has_ended() -> bool:
            nonlocal found
            found = await self.turn(turn)
            return found.HasField("finish_time")

        await until(has_ended)
        return found


@asynccontextmanager
async def listening(
    opened: AbstractAsyncContextManager[tuple[grpc.aio.Server, Any]],
) -> AsyncGenerator[tuple[str, Any]]:
    """Serves on a port of its own while inside; gives its address, and what came along.

    It has a task of its own, since a fixture's two halves are different tasks and
    task groups are left by the one that entered them.
    """
    loop = asyncio.get_running_loop()
    started: asyncio.Future[tuple[str, Any]] = loop.create_future()
    over = asyncio.Event()

    async def hold() -> None:
        async with opened as (server, along):
            port = server.add_insecure_port("127.0.0.1:0")
            await server.start()
            started.set_result((f"127.0.0.1:{port}", along))
            await over.wait()
            await server.stop(None)

    holding = loop.create_task(hold())
    await asyncio.wait([holding, started], return_when=asyncio.FIRST_COMPLETED)
    try:
        if holding.done():
            holding.result()
        yield started.result()
    finally:
        over.set()
        await holding


@asynccontextmanager
async def serving(settings: Settings, keys: Keys) -> AsyncGenerator[Runtime]:
    """Serves a replica in this process while inside."""
    async with (
        listening(_opened(settings)) as (address, owner),
        channel_to(address) as channel,
    ):
        yield Runtime(channel, owner, keys)


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[tuple[grpc.aio.Server, Owner]]:
    async with open_replica(settings) as replica:
        yield replica.server, replica.owner
