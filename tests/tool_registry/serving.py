"""Registries served as in production, and the two who call them: an admin and agent-runtime."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc

from tests.channels import channel_to
from tests.conftest import Keys
from turnpike.api.tool_registry.v1 import connector_service_pb2 as connectors_pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import ToolCallServiceStub
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.identity import Signer, bearer
from turnpike.rpc.server import listen
from turnpike.tool_registry.__main__ import open_replica
from turnpike.tool_registry.settings import Settings

SECRET_KEY = base64.b64encode(bytes([7] * 32)).decode()


def environment_for(urls: MigrationUrls, keys: Keys, **others: str) -> dict[str, str]:
    """Returns a registry's settings as environment variables."""
    values = {
        "DATABASE_URL": urls.service,
        "SYSTEM_DATABASE_URL": urls.system,
        "GATEKEEPER_TARGET": "ipv4:127.0.0.1:1",
        "SIGNING_KEY": keys.signing("tool-registry"),
        "TRUSTED_KEYS": json.dumps(keys.trusted),
        "SECRET_KEYS": json.dumps({"k1": SECRET_KEY}),
        "EGRESS_ALLOW_PRIVATE": "true",
        "LISTEN_ADDRESS": "127.0.0.1:0",
        "METRICS_ADDRESS": "127.0.0.1:0",
        "DRAIN_TIME": "0",
        "GRACE_TIME": "5",
        **others,
    }
    return {f"TOOL_REGISTRY_{name}": value for name, value in values.items()}


def settings_for(urls: MigrationUrls, keys: Keys, **others: Any) -> Settings:
    """Returns a registry's settings as values."""
    values: dict[str, Any] = {
        "database_url": urls.service,
        "system_database_url": urls.system,
        "gatekeeper_target": "ipv4:127.0.0.1:1",
        "signing_key": keys.signing("tool-registry"),
        "trusted_keys": keys.trusted,
        "secret_keys": {"k1": SECRET_KEY},
        "egress_allow_private": True,
        "replica_name": f"tool-registry-{uuid4()}",
        **others,
    }
    return Settings(**values)


@dataclass(frozen=True)
class Registry:
    """A replica, as its callers see it."""

    channel: grpc.aio.Channel
    keys: Keys
    target: str = ""
    connectors: ConnectorServiceStub = field(init=False)
    calls: ToolCallServiceStub = field(init=False)
    artifacts: ArtifactServiceStub = field(init=False)
    _signers: dict[str, Signer] = field(default_factory=dict[str, Signer])

    def __post_init__(self) -> None:
        object.__setattr__(self, "connectors", ConnectorServiceStub(self.channel))
        object.__setattr__(self, "calls", ToolCallServiceStub(self.channel))
        object.__setattr__(self, "artifacts", ArtifactServiceStub(self.channel))

    def signer(self, service: str) -> Signer:
        """Returns a service's signer, which gives a token again while it holds."""
        return self._signers.setdefault(service, Signer(service, self.keys.seeds[service]))

    def new_tenant(self) -> "Tenant":
        """Returns a tenant that nobody has heard of."""
        return Tenant(self, str(uuid4()))


@dataclass(frozen=True)
class Tenant:
    """A tenant with its admin, and the runtime that acts for it, on one replica."""

    registry: Registry
    id: str

    def on(self, registry: Registry) -> "Tenant":
        """Returns the same tenant on another replica."""
        return Tenant(registry, self.id)

    def as_principal(self, role: str = "admin", principal: str = "") -> tuple[tuple[str, str], ...]:
        signer = Signer("gatekeeper", self.registry.keys.seeds["gatekeeper"])
        who = principal or str(uuid4())
        token, _ = signer.principal_token(tenant=self.id, principal=who, role=role)
        return bearer(token)

    def as_service(self, name: str = "agent-runtime") -> tuple[tuple[str, str], ...]:
        return self.registry.signer(name).metadata_for(self.id)

    async def connect(self, name: str = "effects", **fields: Any) -> tool_pb2.Connector:
        """Makes a connector what the fields say."""
        fields.setdefault("transport", tool_pb2.TRANSPORT_HTTP)
        response = await self.registry.connectors.UpdateConnector(
            connectors_pb.UpdateConnectorRequest(
                connector=tool_pb2.Connector(name=name, **fields), allow_missing=True
            ),
            metadata=self.as_principal(),
        )
        return response.connector

    async def connector(self, name: str = "effects") -> tool_pb2.Connector:
        request = connectors_pb.GetConnectorRequest(name=name)
        response = await self.registry.connectors.GetConnector(
            request, metadata=self.as_principal()
        )
        return response.connector

    async def list_tools(self, *patterns: str) -> connectors_pb.ListToolsResponse:
        return await self.registry.connectors.ListTools(
            connectors_pb.ListToolsRequest(patterns=patterns), metadata=self.as_principal()
        )

    async def tools(self) -> dict[str, tool_pb2.Tool]:
        return {tool.name: tool for tool in (await self.list_tools()).tools}

    async def ask(self, tool: str, **arguments: Any) -> calls_pb.RunCallRequest:
        """Returns a call of a new turn, of the tool as it is now."""
        shown = await self.tools()
        return calls_pb.RunCallRequest(
            turn=str(uuid4()),
            fence=1,
            step=1,
            tool=tool,
            arguments=json.dumps(arguments),
            definition_digest=shown[tool].digest if tool in shown else "",
            timeout=timedelta(seconds=30),
        )

    def watch(self, request: calls_pb.RunCallRequest) -> Any:
        """Runs a call; iterate for what becomes of it."""
        return self.registry.calls.RunCall(request, metadata=self.as_service())

    async def run(self, request: calls_pb.RunCallRequest) -> tool_pb2.Call:
        """Runs a call, and returns it when it is over."""
        call = tool_pb2.Call()
        async for response in self.watch(request):
            call = response.call
        return call

    async def announce(self, turn: str, fence: int) -> None:
        request = calls_pb.AnnounceFenceRequest(turn=turn, fence=fence)
        await self.registry.calls.AnnounceFence(request, metadata=self.as_service())

    async def forget(self, *turns: str) -> None:
        """Says that turns were deleted."""
        request = calls_pb.ForgetTurnsRequest(turns=turns)
        await self.registry.calls.ForgetTurns(request, metadata=self.as_service())

    async def cancel(self, request: calls_pb.RunCallRequest) -> tool_pb2.Call:
        cancel = calls_pb.CancelCallRequest(
            turn=request.turn, fence=request.fence, step=request.step, ordinal=request.ordinal
        )
        response = await self.registry.calls.CancelCall(cancel, metadata=self.as_service())
        return response.call


async def timed_out(
    tenant: Tenant, tool: str, was_sent: Callable[[], bool], **arguments: Any
) -> tool_pb2.Call:
    """Runs a call that has a second, and returns how it ended.

    Its time begins before there is a connection. One whose time was over by then, on a
    machine that stood still, tells nothing of what becomes of those that were sent.
    """
    while True:
        request = await tenant.ask(tool, **arguments)
        request.timeout.FromTimedelta(timedelta(seconds=1))
        call = await tenant.run(request)
        if was_sent() or call.reason != "DEADLINE_EXCEEDED":
            return call


def text_of(call: tool_pb2.Call) -> str:
    """Returns the text of a call's result."""
    return "".join(block.get("text", "") for block in json.loads(call.result))


@asynccontextmanager
async def serving(settings: Settings, keys: Keys) -> AsyncGenerator[Registry]:
    """Serves a replica in this process while inside.

    It has a task of its own, since a fixture's two halves are different tasks and
    task groups are left by the one that entered them.
    """
    loop = asyncio.get_running_loop()
    started, over = loop.create_future(), asyncio.Event()

    async def hold() -> None:
        async with open_replica(settings) as replica:
            port = listen(replica.server, "127.0.0.1:0")
            await replica.server.start()
            started.set_result(port)
            await over.wait()
            await replica.server.stop(None)

    holding = loop.create_task(hold())
    await asyncio.wait([holding, started], return_when=asyncio.FIRST_COMPLETED)
    try:
        if holding.done():
            holding.result()
        async with channel_to(f"127.0.0.1:{started.result()}") as channel:
            yield Registry(channel, keys, f"ipv4:127.0.0.1:{started.result()}")
    finally:
        over.set()
        await holding
