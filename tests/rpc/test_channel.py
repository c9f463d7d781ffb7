"""Calling a peer of several replicas, as a service relies on it."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import grpc
import pytest

from tests.channels import channel_to
from tests.ports import free_port
from tests.rpc.peer import SERVICE, Peer, release, served
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import WatchRevocationsRequest
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import (
    GatekeeperServiceStub,
    add_GatekeeperServiceServicer_to_server,
)
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import UnavailableError
from turnpike.rpc.served import deadline_left
from turnpike.rpc.server import listen, new_server, serving
from turnpike.telemetry import current_trace_id, span


async def test_calls_go_to_every_replica():
    peers = [Peer(), Peer()]
    async with AsyncExitStack() as stack:
        ports = [await stack.enter_async_context(served(peer)) for peer in peers]
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in ports)
        channel = await stack.enter_async_context(open_channel(target))
        async with asyncio.timeout(15):
            while not all(peer.calls for peer in peers):  # the second connects a little later
                await release(channel)


async def test_a_replica_that_drains_gets_no_calls_and_the_other_all():
    async with AsyncExitStack() as stack:
        other, draining = Peer(), Peer()
        port = await stack.enter_async_context(served(other))
        server = new_server("gatekeeper")
        add_GatekeeperServiceServicer_to_server(draining, server)
        address = f"127.0.0.1:{listen(server, '127.0.0.1:0')}"
        drain = await stack.enter_async_context(serving(server, grace_time=timedelta(0)))
        channel = await stack.enter_async_context(open_channel(f"ipv4:127.0.0.1:{port},{address}"))
        async with asyncio.timeout(15):
            while not draining.calls:
                await release(channel)

            await drain()

            in_a_row, seen = 0, draining.calls
            while in_a_row < 50:  # the news takes a moment; no call fails meanwhile
                await release(channel)
                in_a_row = in_a_row + 1 if draining.calls == seen else 0
                seen = draining.calls


async def test_a_restarted_replica_is_used_again_within_moments():
    peer, port = Peer(), free_port()
    async with served(peer, port):
        channel = open_channel(f"ipv4:127.0.0.1:{port}")
        await release(channel)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await release(channel)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    async with served(peer, port):
        await release(channel, wait_for_ready=True, timeout=15)
    await channel.close()


async def test_only_what_is_idempotent_is_called_again():
    async def refuse_first(_context: Any) -> None:
        if peer.calls == 1:
            raise UnavailableError("not now")

    peer = Peer(refuse_first)
    async with served(peer) as port:
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await release(channel)
        assert peer.calls == 1

        peer.calls = 0
        method = f"{SERVICE}/Release"
        async with open_channel(f"ipv4:127.0.0.1:{port}", idempotent=[method]) as channel:
            await release(channel)
        assert peer.calls == 2


async def test_a_call_carries_the_trace_and_the_channel_s_token():
    peer = Peer()
    async with (
        served(peer) as port,
        open_channel(f"ipv4:127.0.0.1:{port}", authorization=lambda: "a") as channel,
    ):
        with span("test"):
            await release(channel)
            assert peer.metadata["traceparent"][3:35] == current_trace_id()
        assert peer.metadata["authorization"] == "Bearer a"

        await release(channel, metadata=(("authorization", "Bearer b"),))
        assert peer.metadata["authorization"] == "Bearer b"


async def test_a_stream_carries_them_too():
    peer = Peer()
    async with (
        served(peer) as port,
        open_channel(f"ipv4:127.0.0.1:{port}", authorization=lambda: "a") as channel,
    ):
        stream = GatekeeperServiceStub(channel).WatchRevocations(WatchRevocationsRequest())
        await anext(aiter(stream))
        stream.cancel()

    assert peer.metadata["authorization"] == "Bearer a"
    assert peer.metadata["traceparent"]


async def test_a_call_without_a_timeout_has_a_deadline_and_a_stream_has_none():
    remaining: list[float | None] = []

    async def remember(context: Any) -> None:
        remaining.append(context.time_remaining())

    async with (
        served(Peer(remember)) as port,
        open_channel(f"ipv4:127.0.0.1:{port}", deadline=timedelta(seconds=70)) as channel,
    ):
        await release(channel)
        await release(channel, timeout=120)
        stream = GatekeeperServiceStub(channel).WatchRevocations(WatchRevocationsRequest())
        await anext(aiter(stream))
        stream.cancel()

    assert remaining[:2] == pytest.approx([70, 120], abs=15)
    assert remaining[2] is None


async def test_a_call_on_behalf_of_another_ends_with_it():
    left: list[float] = []

    async def remember(context: Any) -> None:
        left.append(deadline_left(context, default=timedelta(seconds=60)))

    async with served(Peer(remember)) as port:
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            await release(channel, timeout=30)
            await release(channel, timeout=120)
        async with channel_to(f"127.0.0.1:{port}") as channel:
            await release(channel)

    assert left == pytest.approx([30, 60, 60], abs=15)
