"""Watching turns over gRPC: attaching, resuming, heartbeats, and being cut off."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from typing import Any

import grpc
import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.world import (
    World,
    begin,
    cancel,
    said,
    watching,
)
from tests.waiting import refusal
from turnpike.agent_runtime.turns.stalling import unless_stalled
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus


async def test_run_turn_gives_the_turn_first_and_its_log_from_one(
    tenant: Tenant, provider: Provider
):
    stream = tenant.runtime.turns.RunTurn(run_request(), metadata=tenant.admin)
    first = await next_of(stream)
    (await provider.asked()).answer("hello")
    responses = [first, *await rest_of(stream)]

    events = [event for response in responses for event in response.events]
    assert first.created
    assert first.turn.id
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert said(events) == "hello"


async def test_a_turn_goes_on_when_whoever_ran_it_hangs_up(tenant: Tenant, provider: Provider):
    stream = tenant.runtime.turns.RunTurn(run_request(), metadata=tenant.admin)
    turn = (await next_of(stream)).turn
    ask = await provider.asked()
    stream.cancel()
    ask.answer("hello")

    assert (await tenant.ended(turn.id)).text == "hello"


async def test_the_same_request_is_shown_the_same_turn_from_one(tenant: Tenant, provider: Provider):
    streams = [
        tenant.runtime.turns.RunTurn(run_request("the same"), metadata=tenant.admin)
        for _ in range(10)
    ]
    firsts = await asyncio.gather(*(next_of(stream) for stream in streams))
    (await provider.asked()).answer("hello")
    given = [
        [*first.events, *[event for each in await rest_of(stream) for event in each.events]]
        for first, stream in zip(firsts, streams, strict=True)
    ]

    assert len({first.turn.id for first in firsts}) == 1
    assert sum(first.created for first in firsts) == 1
    assert all(each == given[0] for each in given)


async def test_a_reader_resumes_after_any_number(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        for word in ("a", "b", "c"):
            ask.say(word)
            await reader.reads(word)
        ask.end()
        whole = await reader.ends()

    for after in range(len(whole)):
        async with watching(tenant, turn.id, after) as reader:
            assert await reader.ends() == whole[after:]


async def test_nothing_is_left_after_the_end(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    ended = await tenant.ended(turn.id)

    responses = [each async for each in watch(tenant, turn.id, ended.seq)]

    assert [(len(each.events), each.exhausted) for each in responses] == [(0, True)]


async def test_a_number_beyond_the_end_is_refused_with_the_last_one(
    tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    running = await refusal(watch(tenant, turn.id, 9_000).read())
    ask.answer("hello")
    ended = await tenant.ended(turn.id)
    refused = await refusal(watch(tenant, turn.id, ended.seq + 1).read())

    assert (running.reason, refused.reason) == ("OUT_OF_RANGE", "OUT_OF_RANGE")
    assert refused.metadata["last"] == str(ended.seq)


async def test_a_state_names_the_number_from_which_watching_goes_on(
    tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("one ")
        await reader.reads("one ")
    state = await tenant.turn(turn.id)
    async with watching(tenant, turn.id, state.seq) as reader:
        ask.answer("two")
        rest = await reader.ends()

    assert (state.text, said(rest)) == ("one ", "two")
    assert rest[0].seq == state.seq + 1


async def test_a_cancellation_that_meets_the_end_returns(tenant: Tenant, provider: Provider):
    async with asyncio.timeout(10):
        for _ in range(20):
            turn, ask = await begin(tenant, provider)
            cancelling = asyncio.create_task(cancel(tenant, turn.id))
            ask.answer("done")
            ended = await cancelling
            assert ended.status in (
                TurnStatus.TURN_STATUS_COMPLETED,
                TurnStatus.TURN_STATUS_CANCELLED,
            )


async def test_a_state_that_has_its_end_says_that_it_has_ended(tenant: Tenant, provider: Provider):
    # Asked again and again while the turn ends: whose number is the end's has ended.
    for _ in range(10):
        turn, ask = await begin(tenant, provider)
        looking = asyncio.create_task(states(tenant, turn.id))
        ask.answer("x")
        seen = await looking

        last = seen[-1].seq
        assert all(each.HasField("finish_time") for each in seen if each.seq == last)


async def states(tenant: Tenant, turn: str) -> list[Turn]:
    """Returns the states of a turn, until it has ended."""
    seen = [await tenant.turn(turn)]
    while not seen[-1].HasField("finish_time"):
        seen.append(await tenant.turn(turn))
    return seen


async def test_a_reader_who_takes_nothing_is_cut_off_and_may_resume():
    # A server of this test's own, so that a response is large and patience short.
    closed = asyncio.Event()

    async def chatter() -> AsyncGenerator[bytes]:
        try:
            while True:
                yield b"x" * 100_000
        finally:
            closed.set()

    async def stream(_request: bytes, context: grpc.aio.ServicerContext[bytes, bytes]):
        async for each in unless_stalled(chatter(), context, timedelta(seconds=0.3)):
            yield each

    server = grpc.aio.server()
    behaviour = {"Watch": grpc.unary_stream_rpc_method_handler(stream)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("s", behaviour),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_stream("/s/Watch")(b"")
        await call.read()
        async with asyncio.timeout(10):
            await closed.wait()
            with pytest.raises(grpc.aio.AioRpcError) as cut:
                await rest_of(call)
    await server.stop(None)

    assert cut.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_stalled_reader_holds_up_nobody(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    stalled = watch(tenant, turn.id, 0)
    first = await stalled.read()
    async with watching(tenant, turn.id) as reader:
        for number in range(300):
            ask.say("x" * 1000 + f"{number} ")
        ask.end()
        events = await reader.ends()
    rest = [event for each in await rest_of(stalled) for event in each.events]

    assert said(events).endswith("299 ")
    assert [*first.events, *rest] == events


async def test_fifty_readers_on_two_replicas_are_given_the_same(
    world: World, tenant: Tenant, provider: Provider
):
    async with world.replica() as elsewhere:
        turn, ask = await begin(tenant, provider)
        places = [tenant, tenant.on(elsewhere.runtime)] * 25
        reading = [asyncio.create_task(read(place, turn.id)) for place in places]
        for number in range(100):
            ask.say(f"{number} ")
        ask.end()
        given = await asyncio.gather(*reading)

    assert len({tuple(event.SerializeToString() for event in each) for each in given}) == 1


async def read(tenant: Tenant, turn: str) -> list[Event]:
    return [event async for each in watch(tenant, turn, 0) for event in each.events]


async def next_of(stream: Any) -> pb.RunTurnResponse:
    """Returns the next response of a stream that has one."""
    response = await stream.read()
    assert isinstance(response, pb.RunTurnResponse)
    return response


async def rest_of(stream: Any) -> list[Any]:
    """Returns what else a stream gives."""
    responses: list[Any] = []
    while (response := await stream.read()) is not grpc.aio.EOF:
        responses.append(response)
    return responses


def run_request(key: str = "") -> pb.RunTurnRequest:
    start = pb.StartTurnRequest(agent="agent", input=[pb.ContentPart(text="hello")], request_id=key)
    return pb.RunTurnRequest(start=start)


def watch(tenant: Tenant, turn: str, after: int) -> Any:
    request = pb.WatchTurnRequest(turn=turn, after=after)
    return tenant.runtime.turns.WatchTurn(request, metadata=tenant.admin)
