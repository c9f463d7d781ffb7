"""Refusals of those who are still writing, as they are told of them."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
import pytest

from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import NotFoundError, UnauthenticatedError, from_rpc_error
from turnpike.rpc.identity import Caller
from turnpike.rpc.server import listen, new_server, serving

SERVICE = "turnpike.api.echo.v1.EchoService"
MESSAGES = [b"x" * 65536] * 24


async def nobody(_credential: str) -> Caller:
    raise UnauthenticatedError("who are you?")


async def knows_nothing(requests: AsyncIterator[bytes], _context: Any) -> AsyncGenerator[bytes]:
    raise NotFoundError(f"there is no such thing: {len(await anext(requests))}")
    yield b""


async def written() -> AsyncGenerator[bytes]:
    for message in MESSAGES:
        yield message


@asynccontextmanager
async def served(**options: Any) -> AsyncGenerator[grpc.aio.Channel]:
    server = new_server("gatekeeper", **options)
    handler = grpc.stream_stream_rpc_method_handler(knows_nothing, request_deserializer=bytes)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(SERVICE, {"Echo": handler}),)
    )
    port = listen(server, "127.0.0.1:0")
    async with (
        serving(server, grace_time=timedelta(0), services=[SERVICE]),
        open_channel(f"ipv4:127.0.0.1:{port}") as channel,
    ):
        yield channel


async def refusal_of(channel: grpc.aio.Channel, requests: Any) -> grpc.StatusCode:
    call: Any = channel.stream_stream(f"/{SERVICE}/Echo")(requests, timeout=15)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in call:
            pass
    return from_rpc_error(caught.value).code


async def test_whoever_writes_while_it_is_refused_is_told_why():
    async with served(authenticate=nobody) as channel:
        codes = {await refusal_of(channel, written()) for _ in range(20)}

    assert codes == {grpc.StatusCode.UNAUTHENTICATED}


async def test_whoever_writes_on_while_an_answer_fails_is_told_why():
    async with served() as channel:
        codes = {await refusal_of(channel, written()) for _ in range(20)}

    assert codes == {grpc.StatusCode.NOT_FOUND}


async def test_whoever_says_nothing_is_refused_all_the_same():
    async with served(authenticate=nobody) as channel:
        call: Any = channel.stream_stream(f"/{SERVICE}/Echo")(timeout=15)

        assert await call.code() is grpc.StatusCode.UNAUTHENTICATED
