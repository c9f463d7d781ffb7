"""A service that does what its test tells it, and a client of it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4

import grpc

from tests.doubles.servicers import PartialGatekeeper
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AdmitRequest,
    AdmitResponse,
    AuthenticateRequest,
    AuthenticateResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    ReleaseRequest,
    ReleaseResponse,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import (
    GatekeeperServiceStub,
    add_GatekeeperServiceServicer_to_server,
)
from turnpike.rpc.server import listen, new_server, serving

SERVICE = "turnpike.api.gatekeeper.v1.GatekeeperService"


class Peer(PartialGatekeeper):
    """Release runs `behaviour`; Watch streams until it is cut."""

    def __init__(self, behaviour: Callable[[Any], Awaitable[None]] | None = None) -> None:
        self.behaviour = behaviour
        self.calls = 0
        self.metadata: dict[str, Any] = {}
        self.streams_ended = asyncio.Event()

    async def Release(self, request: ReleaseRequest, context: Any) -> ReleaseResponse:
        self.calls += 1
        self.metadata = dict(context.invocation_metadata())
        if self.behaviour is not None:
            await self.behaviour(context)
        return ReleaseResponse()

    async def Heartbeat(self, request: HeartbeatRequest, context: Any) -> HeartbeatResponse:
        return HeartbeatResponse()

    async def Admit(self, request: AdmitRequest, context: Any) -> AdmitResponse:
        return AdmitResponse()

    async def Authenticate(
        self, request: AuthenticateRequest, context: Any
    ) -> AuthenticateResponse:
        return AuthenticateResponse(token="open")

    async def WatchRevocations(
        self, request: WatchRevocationsRequest, context: Any
    ) -> AsyncIterator[WatchRevocationsResponse]:
        self.metadata = dict(context.invocation_metadata())
        try:
            if self.behaviour is not None:
                await self.behaviour(context)
            yield WatchRevocationsResponse(last_id=1)
            await asyncio.Event().wait()
        finally:
            self.streams_ended.set()


@asynccontextmanager
async def served(peer: Peer, port: int = 0, **server_options: Any) -> AsyncGenerator[int]:
    """Serves a peer while inside; gives its port."""
    server = new_server("gatekeeper", **server_options)
    add_GatekeeperServiceServicer_to_server(peer, server)
    port = listen(server, f"127.0.0.1:{port}")
    async with serving(server, grace_time=timedelta(0), services=[SERVICE]):
        yield port


async def release(channel: grpc.aio.Channel, **options: Any) -> ReleaseResponse:
    request = ReleaseRequest(turn=str(uuid4()), tenant=str(uuid4()))
    return await GatekeeperServiceStub(channel).Release(request, **options)
