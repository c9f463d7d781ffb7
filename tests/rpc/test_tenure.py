"""Streams that are open when the credential behind them is revoked."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest

from tests.doubles.servicers import PartialTurns
from tests.rpc.keys import PRINCIPAL, TENANT, signer, verifier
from turnpike.api.agent_runtime.v1.turn_service_pb2 import WatchTurnRequest, WatchTurnResponse
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import (
    TurnServiceStub,
    add_TurnServiceServicer_to_server,
)
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials, Exchanged, Revocation, Revocations
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.identity import bearer
from turnpike.rpc.server import listen, new_server, serving

SERVICE = "turnpike.api.agent_runtime.v1.TurnService"
PATIENCE_SECONDS = 15


class Silent(PartialTurns):
    """Streams once, and then nothing until it is cut."""

    def __init__(self) -> None:
        self.streams_ended = asyncio.Event()

    async def WatchTurn(
        self, request: WatchTurnRequest, context: Any
    ) -> AsyncIterator[WatchTurnResponse]:
        try:
            yield WatchTurnResponse()
            await asyncio.Event().wait()
        finally:
            self.streams_ended.set()


class Talker(PartialTurns):
    """Streams without end, as fast as it is read."""

    async def WatchTurn(
        self, request: WatchTurnRequest, context: Any
    ) -> AsyncIterator[WatchTurnResponse]:
        for _ in range(1_000_000):
            yield WatchTurnResponse()


class Revoked:
    """Where a test revokes."""

    def __init__(self) -> None:
        self._batches: asyncio.Queue[Revocations] = asyncio.Queue()

    async def watch(self, _after: int) -> AsyncIterator[Revocations]:
        yield Revocations([], 0)
        while True:
            yield await self._batches.get()

    def revoke(self, *, key: str = "", principal: str = PRINCIPAL) -> None:
        revocation = Revocation(TENANT, principal, key, datetime.now(UTC))
        self._batches.put_nowait(Revocations([revocation], 1))


async def _exchange(_credential: str) -> Exchanged:
    raise AssertionError("tokens need no exchange")


@asynccontextmanager
async def revocable(turns: Silent | Talker, revoked: Revoked) -> AsyncGenerator[TurnServiceStub]:
    """Serves streams whose callers may be revoked while inside."""
    credentials = Credentials(verifier(), _exchange)
    server = new_server(
        "agent-runtime",
        authenticate=credentials.caller,
        until_revoked=credentials.until_revoked,
    )
    add_TurnServiceServicer_to_server(turns, server)
    port = listen(server, "127.0.0.1:0")
    async with AsyncExitStack() as stack:
        tasks = await stack.enter_async_context(asyncio.TaskGroup())
        watching = tasks.create_task(credentials.watch_revocations(revoked.watch))
        stack.callback(watching.cancel)
        await stack.enter_async_context(
            serving(server, grace_time=timedelta(0), services=[SERVICE])
        )
        channel = await stack.enter_async_context(open_channel(f"ipv4:127.0.0.1:{port}"))
        yield TurnServiceStub(channel)


def token(key: str = "key-1", principal: str = PRINCIPAL) -> tuple[tuple[str, str], ...]:
    issued, _ = signer("gatekeeper").principal_token(
        tenant=TENANT, principal=principal, role="member", key=key
    )
    return bearer(issued)


async def watch(stub: TurnServiceStub, metadata: tuple[tuple[str, str], ...]) -> Any:
    """Returns a stream that has begun."""
    stream = stub.WatchTurn(WatchTurnRequest(), metadata=metadata)
    assert await stream.read() == WatchTurnResponse()
    return stream


async def end_of(stream: Any) -> grpc.aio.AioRpcError:
    """Returns what a stream fails with."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                await stream.read()
    return caught.value


@pytest.mark.parametrize("revocation", [{"key": "key-1"}, {"principal": PRINCIPAL}])
async def test_a_silent_stream_ends_with_its_caller_s_credential(revocation: dict[str, str]):
    turns, revoked = Silent(), Revoked()
    async with revocable(turns, revoked) as stub:
        stream = await watch(stub, token())

        revoked.revoke(**revocation)

        error = from_rpc_error(await end_of(stream))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
        await asyncio.wait_for(turns.streams_ended.wait(), PATIENCE_SECONDS)


async def test_a_busy_stream_ends_with_its_caller_s_credential():
    revoked = Revoked()
    async with revocable(Talker(), revoked) as stub:
        stream = await watch(stub, token())

        revoked.revoke(key="key-1")

        assert (await end_of(stream)).code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_stream_ends_where_a_service_lends_its_name_to_the_key_s_holder():
    revoked = Revoked()
    async with revocable(Silent(), revoked) as stub:
        lent = signer("agent-runtime").metadata_for(TENANT, PRINCIPAL, "member", "key-1")
        stream = await watch(stub, lent)

        revoked.revoke(key="key-1")

        assert (await end_of(stream)).code() is grpc.StatusCode.UNAUTHENTICATED


async def test_streams_of_others_go_on():
    revoked = Revoked()
    async with revocable(Silent(), revoked) as stub:
        one = await watch(stub, token("key-1"))
        others = [
            await watch(stub, token("key-2")),
            await watch(stub, signer("agent-runtime").metadata_for(TENANT, PRINCIPAL)),
        ]

        revoked.revoke(key="key-1")

        await end_of(one)
        assert not any(stream.done() for stream in others)
