"""Providers that refuse, hang, cut and talk nonsense."""

import asyncio
import time
from collections.abc import AsyncGenerator

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin, cancel, kinds, said, watching
from tests.waiting import until
from turnpike.agent_runtime.events.fold import fold
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ON_BUSY_ENQUEUE

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED


@pytest.fixture
async def hasty(world: World) -> AsyncGenerator[Tenant]:
    """A tenant on a replica that gives a turn three seconds."""
    async with world.replica(turn_timeout=3) as served:
        yield await world.tenant(served)


async def ended(world: World, tenant: Tenant, turn: Turn) -> Turn:
    """Returns a turn that has ended, once folding its log says what is stored."""
    found = await tenant.ended(turn.id)
    log = await world.log(turn.id)
    assert fold(log).text == (await world.row(turn.id))["answer"] == found.text
    return found


@pytest.mark.parametrize("status", [429, 500, 503, 529])
async def test_a_call_that_is_refused_for_now_is_made_again_and_nobody_notices(
    world: World, tenant: Tenant, provider: Provider, status: int
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.refuse(status)
        (await provider.asked()).answer("hello")
        events = await reader.ends()

    assert (await ended(world, tenant, turn)).status == COMPLETED
    assert said(events) == "hello"
    assert "model_retrying" in kinds(events)
    assert "log_reset" not in kinds(events)


async def test_retry_after_is_what_is_waited(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    began = time.monotonic()
    ask.refuse(429, {"retry-after": "1"})
    again = await provider.asked()
    waited = time.monotonic() - began
    again.answer("hello")

    assert (await tenant.ended(turn.id)).status == COMPLETED
    assert waited >= 1


async def test_retry_after_is_what_readers_are_told(world: World, provider: Provider):
    async with world.replica(slot_patience=60) as served:
        tenant = await world.tenant(served)
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            ask.refuse(429, {"retry-after": "30"})
            await reader.until(lambda each: "model_retrying" in kinds(each.events))
            await cancel(tenant, turn.id)
            events = await reader.ends()

    retrying = next(each.model_retrying for each in events if each.HasField("model_retrying"))
    assert retrying.reason == "RATE_LIMITED"
    # A little is added, so that not all come back at the same moment; what passed since is not.
    assert 15_000 < retrying.delay.ToMilliseconds() <= 33_000


async def test_a_wait_beyond_the_turns_deadline_is_not_begun(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "3600"})

    failed = await ended(world, tenant, turn)

    assert (failed.status, failed.error.reason) == (FAILED, "PROVIDER_RATE_LIMITED")
    assert provider.asks[-1] is ask


async def test_calls_are_made_again_within_the_turns_deadline_only(
    world: World, hasty: Tenant, provider: Provider
):
    turn, ask = await begin(hasty, provider)
    began = time.monotonic()
    refusals = 0
    while not (await hasty.turn(turn.id)).HasField("finish_time"):
        ask.refuse(500, {"retry-after": "0.3"})
        refusals += 1
        ask = await next_ask(hasty, provider, turn, ask) or ask

    failed = await ended(world, hasty, turn)
    assert (failed.status, failed.error.reason) == (FAILED, "PROVIDER_ERROR")
    assert time.monotonic() - began < 60
    assert refusals > 1


async def next_ask(tenant: Tenant, provider: Provider, turn: Turn, ask: Ask) -> Ask | None:
    """Returns the call after another, or None once the turn has ended without one."""
    known = provider.asks.index(ask) + 1

    async def goes_on() -> bool:
        return len(provider.asks) > known or (await tenant.turn(turn.id)).HasField("finish_time")

    await until(goes_on)
    return await provider.asked() if len(provider.asks) > known else None


async def test_a_call_that_is_refused_for_good_is_not_made_again(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    ask.refuse(400)

    failed = await ended(world, tenant, turn)

    assert (failed.status, failed.error.reason) == (FAILED, "PROVIDER_ERROR")
    assert provider.asks[-1] is ask


async def test_a_provider_that_never_begins_is_given_up(world: World, provider: Provider):
    async with world.replica(first_chunk_timeout=2) as hasty:
        tenant = await world.tenant(hasty)
        turn, ask = await begin(tenant, provider)

        again = await provider.asked()
        again.answer("hello")

        await asyncio.wait_for(ask.closed.wait(), 15)
        assert (await tenant.ended(turn.id)).text == "hello"


async def test_what_a_stream_said_before_it_fell_silent_is_void(world: World, provider: Provider):
    async with world.replica(idle_timeout=2) as hasty:
        await break_off(world, await world.tenant(hasty), provider, "hang")


@pytest.mark.parametrize("fault", ["cut", "garbage"])
async def test_what_a_stream_said_before_it_broke_is_void(
    world: World, tenant: Tenant, provider: Provider, fault: str
):
    await break_off(world, tenant, provider, fault)


async def break_off(world: World, tenant: Tenant, provider: Provider, fault: str) -> None:
    """Has a stream break off in a way, and the model say something else after that."""
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("not this ", "nor this")
        await reader.reads("nor this")
        if fault == "garbage":
            ask.garbage()
        if fault == "cut":
            ask.cut()
        again = await provider.asked()
        again.answer("but that")
        events = await reader.ends()

    assert (await ended(world, tenant, turn)).text == "but that"
    assert fold(events).text == "but that"
    assert kinds(events).count("log_reset") == 1
    await asyncio.wait_for(ask.closed.wait(), 15)


async def test_who_attaches_after_a_reset_is_not_shown_what_is_void(
    tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    async with watching(tenant, turn.id) as reader:
        ask.say("not this")
        await reader.reads("not this")
        ask.cut()
        again = await provider.asked()
        again.say("but that")
        await reader.reads("but that")
        async with watching(tenant, turn.id) as late:
            again.end()
            events = await late.ends()

    assert said(events) == "but that"


async def silence(seconds: float) -> None:
    """What a slow model does between two words."""
    await asyncio.sleep(seconds)


async def test_a_model_that_is_slow_but_speaks_is_not_given_up(world: World, provider: Provider):
    # Silence ends a call, age does not: all of it takes longer than what a turn is given.
    async with world.replica(turn_timeout=1) as served:
        tenant = await world.tenant(served)
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            began, said_so_far = time.monotonic(), 0
            while time.monotonic() - began < 1.5:
                said_so_far += 1
                ask.say(f"{said_so_far} ")
                await reader.reads(f"{said_so_far} ")
                await silence(0.2)
            ask.end()
            events = await reader.ends()

        assert kinds(events)[-1] == "turn_finished"
        assert "log_reset" not in kinds(events)
        assert (await tenant.turn(turn.id)).status == COMPLETED


async def test_a_stream_that_is_cut_four_times_fails_the_turn_and_keeps_the_last(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    for number in range(4):
        async with watching(tenant, turn.id) as reader:
            ask.say(f"attempt {number}")
            await reader.until(lambda each, n=number: said(each.events).endswith(f"attempt {n}"))
            ask.cut()
            if number < 3:
                ask = await provider.asked()

    failed = await ended(world, tenant, turn)

    assert (failed.status, failed.error.reason) == (FAILED, "PROVIDER_UNREACHABLE")
    assert failed.text == "attempt 3"


async def test_no_more_steps_than_the_agent_may_take(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, max_steps=2)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__echo")
    ask = await provider.asked()
    ask.say("once more")
    ask.ask_for("effects__echo")

    failed = await ended(world, tenant, turn)

    assert (failed.status, failed.error.reason) == (FAILED, "MAX_STEPS_EXCEEDED")
    assert len(failed.calls) == 2


async def test_usage_is_what_the_provider_reports_over_all_steps(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.call("effects__echo")
    ask.end(tokens=(100, 10), reason="tool_calls")
    ask = await provider.asked()
    ask.say("done")
    ask.end(tokens=(200, 20))

    found = await tenant.ended(turn.id)

    assert (found.usage.input_tokens, found.usage.output_tokens) == (300, 30)


async def test_a_model_that_is_gone_fails_the_turn(
    world: World, tenant: Tenant, provider: Provider
):
    first, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=first.thread, on_busy=ON_BUSY_ENQUEUE)
    await world.superuser.execute("DELETE FROM models")
    ask.answer("hello")

    failed = await tenant.ended(queued.id)

    assert (failed.status, failed.error.reason) == (FAILED, "MODEL_UNUSABLE")
