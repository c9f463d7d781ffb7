"""Serving a call, as servicers and their callers rely on it."""

import asyncio
from typing import Any

import grpc
import pytest

from tests.channels import channel_to
from tests.rpc.keys import PRINCIPAL, TENANT, signer, verifier
from tests.rpc.peer import SERVICE, Peer, release, served
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AuthenticateRequest,
    HeartbeatRequest,
    WatchRevocationsRequest,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.identity import Caller
from turnpike.rpc.interceptors import Authenticate
from turnpike.rpc.served import caller_of
from turnpike.telemetry import current_trace_id
from turnpike.telemetry.metrics import REGISTRY


def authenticate() -> Authenticate:
    known = verifier()

    async def authenticated(credential: str) -> Caller:
        return known.verify(credential).caller

    return authenticated


async def test_a_request_that_breaks_constraints_is_refused_field_by_field():
    async with served(Peer()) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        request = HeartbeatRequest(replica="x", slots=[HeartbeatRequest.Slot()])
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await GatekeeperServiceStub(channel).Heartbeat(request)

    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert ("replica", "must be a valid UUID") in error.fields
    assert "slots[0].turn" in dict(error.fields)


async def test_a_servicer_knows_who_calls():
    callers: list[Caller] = []

    async def remember(context: Any) -> None:
        callers.append(caller_of(context))

    async with (
        served(Peer(remember), authenticate=authenticate()) as port,
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        await release(channel, metadata=signer("agent-runtime").metadata_for(TENANT, PRINCIPAL))

    assert callers == [Caller(TENANT, PRINCIPAL, "", "", "agent-runtime")]


@pytest.mark.parametrize("authorization", [None, "Bearer ", "Basic abc", "Bearer abc"])
async def test_without_a_valid_credential_nothing_is_served(authorization: str | None):
    peer = Peer()
    metadata = (("authorization", authorization),) if authorization is not None else ()
    async with (
        served(peer, authenticate=authenticate()) as port,
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await release(channel, metadata=metadata)

    error = from_rpc_error(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert peer.calls == 0


async def test_a_stranger_learns_of_no_constraint():
    async with (
        served(Peer(), authenticate=authenticate()) as port,
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await GatekeeperServiceStub(channel).Heartbeat(HeartbeatRequest(replica="x"))

    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_an_open_method_needs_no_credential():
    async with (
        served(
            Peer(),
            authenticate=authenticate(),
            open_methods=frozenset({f"/{SERVICE}/Authenticate"}),
        ) as port,
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        request = AuthenticateRequest(credential="tpk_x")
        response = await GatekeeperServiceStub(channel).Authenticate(request)

    assert response.token == "open"


async def test_a_call_is_part_of_its_caller_s_trace():
    traces: list[str] = []

    async def remember(_context: Any) -> None:
        traces.append(current_trace_id())

    async with (
        served(Peer(remember)) as port,
        channel_to(f"127.0.0.1:{port}") as channel,
    ):
        header = ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01")
        await release(channel, metadata=(header,))
        await release(channel)

    assert traces[0] == "a" * 32
    assert len(traces[1]) == 32 and traces[1] != traces[0]


async def test_a_stream_that_nobody_reads_any_more_is_cleaned_up():
    peer = Peer()
    async with served(peer) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        stream = GatekeeperServiceStub(channel).WatchRevocations(WatchRevocationsRequest())
        await anext(aiter(stream))
        stream.cancel()
        async with asyncio.timeout(15):
            await peer.streams_ended.wait()


async def test_a_deadline_ends_the_call_on_both_sides():
    begun, ended = asyncio.Event(), asyncio.Event()
    codes = set[grpc.StatusCode]()

    async def hang(_context: Any) -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    async with served(Peer(hang)) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        async with asyncio.timeout(15):
            # Its time may be over before it comes to the other side.
            while not begun.is_set():
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await release(channel, timeout=0.2)
                codes.add(caught.value.code())
            await ended.wait()

    assert codes == {grpc.StatusCode.DEADLINE_EXCEEDED}


async def test_calls_are_counted_by_method_and_status():
    def count(code: str) -> float:
        labels = {"method": f"/{SERVICE}/Release", "code": code}
        return REGISTRY.get_sample_value("turnpike_rpc_server_seconds_count", labels) or 0

    async def fail(_context: Any) -> None:
        raise ValueError

    before = count("INTERNAL"), count("OK")
    async with served(Peer(fail)) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            await release(channel)
    async with served(Peer()) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        await release(channel)

    assert (count("INTERNAL"), count("OK")) == (before[0] + 1, before[1] + 1)
