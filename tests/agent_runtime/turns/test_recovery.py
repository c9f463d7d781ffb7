"""Providers that fail, and what of it a reader sees: rows L4 to L9 and L13."""

import asyncio
import itertools
from collections.abc import AsyncGenerator
from uuid import UUID

import asyncpg
import pytest

from tests.agent_runtime.prefix.ledgers import is_one_prefix
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import (
    Served,
    World,
    begin,
    cancel,
    kinds,
    said,
    watching,
)
from tests.tool_registry import serving as registries
from tests.waiting import until
from turnpike.agent_runtime.events.fold import fold
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.tool_registry.v1.connector_service_pb2 import DeleteConnectorRequest

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
FAILED = TurnStatus.TURN_STATUS_FAILED
WAITING = TurnStatus.TURN_STATUS_WAITING


@pytest.fixture(scope="module")
async def here(world: World) -> AsyncGenerator[Served]:
    """A replica that gives slots back soon."""
    async with world.replica(slot_patience=0.5, turn_timeout=60, first_chunk_timeout=20) as served:
        yield served


@pytest.fixture
async def pooled(world: World, tenant: Tenant) -> Tenant:
    """A tenant whose agent is on a pool of three models, at one provider."""
    names = ("one", "two", "three")
    for name in names:
        await tenant.model(name, provider="openai", model=name, base_url=world.provider.url)
    await tenant.model(
        "pool", provider="pool", model="", members=[{"model": name} for name in names]
    )
    await tenant.agent(model="pool")
    return tenant


def only(events: list[Event], kind: str) -> list[Event]:
    return [event for event in events if event.WhichOneof("body") == kind]


async def is_waiting(world: World, turn: str) -> bool:
    row = await world.row(turn)
    return (row["status"], row["waiting_for"], row["owner"]) == ("WAITING", "provider", None)


@pytest.mark.parametrize("failures", [1, 2])
async def test_l5_before_the_first_event_another_model_goes_on_and_the_stream_is_one(
    world: World, pooled: Tenant, provider: Provider, failures: int
):
    turn, ask = await begin(pooled, provider)
    asked = [ask.body["model"]]
    async with watching(pooled, turn.id) as reader:
        for _ in range(failures):
            # Longer than anybody waits to be asked.
            ask.refuse(429, {"retry-after": "30"})
            ask = await provider.asked()
            asked.append(ask.body["model"])
        ask.answer("hello")
        events = await reader.ends()

    assert len(set(asked)) == failures + 1
    assert said(events) == "hello"
    assert "log_reset" not in kinds(events)
    changed = [event.model_changed for event in only(events, "model_changed")]
    assert [(getattr(each, "from"), each.to) for each in changed] == list(itertools.pairwise(asked))
    assert {each.reason for each in changed} == {"RATE_LIMITED"}
    pin = await world.superuser.fetchval(
        "SELECT member FROM thread_pins WHERE thread = $1", UUID(turn.thread)
    )
    assert pin == asked[-1]


async def test_l3_the_pin_stays_for_the_thread_s_next_turn_on_every_replica(
    world: World, pooled: Tenant, provider: Provider
):
    turn, ask = await begin(pooled, provider)
    ask.refuse(429, {"retry-after": "0.1"})
    ask = await provider.asked()
    pinned = ask.body["model"]
    ask.answer("hello")
    await pooled.ended(turn.id)

    async with world.replica() as other:
        again, ask = await begin(pooled.on(other.runtime), provider, thread=turn.thread)
        assert ask.body["model"] == pinned
        ask.answer("hello")
        await pooled.ended(again.id)


async def test_l6_what_only_describes_the_call_does_not_close_the_gate(
    pooled: Tenant, provider: Provider
):
    turn, ask = await begin(pooled, provider)
    async with watching(pooled, turn.id) as reader:
        ask.describe()
        ask.cut()
        again = await provider.asked()
        again.answer("hello")
        events = await reader.ends()

    assert again.body["model"] != ask.body["model"] or only(events, "model_retrying")
    assert "log_reset" not in kinds(events)
    assert said(events) == "hello"


async def test_after_the_first_event_what_was_said_is_void(pooled: Tenant, provider: Provider):
    turn, ask = await begin(pooled, provider)
    async with watching(pooled, turn.id) as reader:
        ask.say("not this")
        await reader.reads("not this")
        ask.cut()
        (await provider.asked()).answer("but that")
        events = await reader.ends()

    assert kinds(events).count("log_reset") == 1
    assert fold(events).text == "but that"


async def test_a_cut_goes_on_from_the_last_completed_step(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("effects__echo")
    ask = await provider.asked()
    async with watching(tenant, turn.id) as reader:
        ask.say("half")
        await reader.reads("half")
        ask.cut()
        again = await provider.asked()
        again.answer("whole")
        events = await reader.ends()

    assert [each[0] for each in again.prompt][-1] == "tool"
    assert fold(events).text == "whole"
    assert len(only(events, "tool_finished")) == 1


@pytest.mark.parametrize("status", [401, 402, 400])
async def test_a_member_that_cannot_be_asked_at_all_is_left(
    pooled: Tenant, provider: Provider, status: int
):
    turn, ask = await begin(pooled, provider)
    ask.refuse(status)
    other = await provider.asked()
    other.answer("hello")

    assert other.body["model"] != ask.body["model"]
    assert (await pooled.ended(turn.id)).status == COMPLETED


async def test_l4_what_one_replica_lets_rest_rests_on_the_others_within_a_second(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    async with world.replica(slot_patience=0.2) as other:
        turn, ask = await begin(tenant, provider)
        ask.refuse(429, {"retry-after": "30"})
        await until(lambda: is_waiting(world, turn.id))
        ours, theirs = here.replica.cooldowns, other.replica.cooldowns
        await until(lambda: ours.known <= theirs.known)
        asks = len(provider.asks)
        there = await tenant.on(other.runtime).start()
        await until(lambda: is_waiting(world, there.id))
        rows = [await world.row(each.id) for each in (turn, there)]

    assert len(provider.asks) == asks
    for row in rows:
        left = await world.superuser.fetchval("SELECT $1 - clock_timestamp()", row["due_at"])
        assert left.total_seconds() < 35
    for each in (turn, there):
        await cancel(tenant, each.id)


async def test_l8_every_wait_is_an_event(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    async with world.replica(slot_patience=10) as patient:
        tenant = tenant.on(patient.runtime)
        turn, ask = await begin(tenant, provider)
        async with watching(tenant, turn.id) as reader:
            ask.refuse(429, {"retry-after-ms": "1500"})
            ask = await provider.asked()
            ask.refuse(503, {"retry-after": "30"})
            await until(lambda: is_waiting(world, turn.id))
            await world.rested(here, patient)
            (await provider.asked()).answer("hello")
            events = await reader.ends()

    told = [event.model_retrying for event in only(events, "model_retrying")]
    # A wait that falls short by a moment is followed by another.
    *waits, pause = told
    assert {(each.reason, each.attempt) for each in waits} == {("RATE_LIMITED", 1)}
    # What it took to note the refusal has passed by then.
    assert 0 < waits[0].delay.ToMilliseconds() <= 1650
    assert (pause.reason, pause.attempt) == ("WAITING", 0)
    assert 10_000 < pause.delay.ToMilliseconds() <= 33_000


async def test_row_50_tools_that_come_and_go_within_a_turn_leave_its_bytes_as_they_were(
    world: World, here: Served, tenant: Tenant, tools: Tools, provider: Provider
):
    await tools.offer(tenant, tools=["*/*"])
    registry = registries.Tenant(tools.registry, tenant.id)
    turn, first = await begin(tenant, provider)
    first.ask_for("effects__transfer", arguments='{ "tag":"before" }')
    second = await provider.asked()
    second.refuse(429, {"retry-after": "30"})
    await until(lambda: is_waiting(world, turn.id))

    # Whoever goes on with the turn finds other tools than its model was shown.
    await registry.connect("added", url=tools.url)
    await registry.registry.connectors.DeleteConnector(
        DeleteConnectorRequest(name="effects"), metadata=registry.as_principal()
    )
    await world.rested(here)
    third = await provider.asked()
    third.ask_for("effects__transfer", arguments='{"tag":"removed"}')
    fourth = await provider.asked()
    fourth.answer("done")
    await tenant.ended(turn.id)

    assert third.sent == second.sent
    assert is_one_prefix([first.sent, second.sent, third.sent, fourth.sent])
    assert b"added__" not in fourth.sent and b"effects__transfer" in fourth.sent
    # What is there no more does not run.
    assert (tools.effects("before"), tools.effects("removed")) == (1, 0)
    row = await world.superuser.fetchrow(
        "SELECT epoch, last_outcome FROM prefix_sessions WHERE session = $1", turn.thread
    )
    assert tuple(row or ()) == (1, "COMMITTED")


async def test_l9_no_call_is_made_before_the_real_one(tenant: Tenant, provider: Provider):
    before = len(provider.asks)
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    await tenant.ended(turn.id)

    assert len(provider.asks) == before + 1
    assert ask.body["messages"][-1]["content"] == "hello"


async def test_a_wait_holds_no_slot_and_says_what_for(
    world: World, here: Served, provider: Provider
):
    tenant = await world.tenant(here, slots=1)
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "30"})
    await until(lambda: is_waiting(world, turn.id))

    shown = await tenant.turn(turn.id)
    await tenant.model("other", provider="openai", model="o", base_url=provider.url)
    await tenant.agent("other", model="other")
    second, ask = await begin(tenant, provider, agent="other")
    ask.answer("meanwhile")
    ended = await tenant.ended(second.id)
    await world.rested(here)
    ask = await provider.asked()
    ask.answer("hello")

    assert (shown.status, shown.waiting_for) == (WAITING, "provider")
    assert ended.text == "meanwhile"
    assert (await tenant.ended(turn.id)).text == "hello"


async def test_a_wait_survives_every_replica(
    world: World, here: Served, gone: Served, tenant: Tenant, provider: Provider
):
    there = tenant.on(gone.runtime)
    turn, ask = await begin(there, provider)
    ask.refuse(429, {"retry-after": "30"})
    await until(lambda: is_waiting(world, turn.id))
    await world.declare_dead(gone)
    await world.rested(here, gone)

    (await provider.asked()).answer("hello")

    assert (await tenant.ended(turn.id)).text == "hello"


@pytest.fixture
async def gone(world: World) -> AsyncGenerator[Served]:
    """Another replica, to be lost."""
    async with world.replica(slot_patience=0.2) as served:
        yield served


async def test_a_turn_that_waits_is_cancelled_at_once(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "600"})
    # Beyond the turn's deadline nothing is waited for.
    assert (await tenant.ended(turn.id)).error.reason == "PROVIDER_RATE_LIMITED"

    other = await tenant.start()
    ended = await tenant.ended(other.id)
    assert ended.error.reason == "PROVIDER_RATE_LIMITED"


async def waiting(world: World, tenant: Tenant, provider: Provider, number: int) -> list[str]:
    """Starts turns that wait for one provider; returns their ids."""
    turn, ask = await begin(tenant, provider)
    ask.refuse(429, {"retry-after": "30"})
    turns = [turn.id, *[(await tenant.start()).id for _ in range(number - 1)]]
    for each in turns:
        await until(lambda each=each: is_waiting(world, each))
    return turns


async def test_one_turn_asks_whether_a_provider_is_back_and_the_rest_follow(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    asks = len(provider.asks)
    async with world.replica(slot_patience=0.2) as other:
        turns = await waiting(world, tenant, provider, 6)
        assert len(provider.asks) == asks + 1
        await world.rested(here, other)
        probe = await provider.asked()
        await all_are_due_or_wait(world, turns)
        assert len(provider.asks) == asks + 2
        probe.refuse(429, {"retry-after": "1"})
        probe = await provider.asked()
        await all_are_due_or_wait(world, turns)
        assert len(provider.asks) == asks + 3
        probe.answer("hello")
        for _ in turns[1:]:
            (await provider.asked()).answer("hello")
        ended = [await tenant.ended(each) for each in turns]

    assert {each.status for each in ended} == {COMPLETED}
    assert await outages_of(world, turns) == []


async def outages_of(world: World, turns: list[str]) -> list[asyncpg.Record]:
    """Returns who asks, for each outage that turns wait for."""
    return await world.superuser.fetch(
        "SELECT DISTINCT o.probe_turn FROM provider_outages o JOIN turns t"
        " ON t.waits_on = o.credential WHERE t.id = ANY($1::uuid[])",
        turns,
    )


async def all_are_due_or_wait(world: World, turns: list[str]) -> None:
    """Returns when all but one have looked, and wait for the one that asks."""

    async def settled() -> bool:
        return await world.superuser.fetchval(
            "SELECT count(*) >= $2 FROM turns WHERE id = ANY($1::uuid[]) AND status = 'WAITING'"
            " AND fence > 1",
            turns,
            len(turns) - 1,
        )

    await until(settled)


async def test_a_probe_whose_replica_dies_is_another_s(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    turns = await waiting(world, tenant, provider, 2)
    await world.rested(here)
    probe = await provider.asked()
    ((holder,),) = await outages_of(world, turns)
    assert str(holder) in turns
    # What a peer does who finds its owner dead.
    await world.superuser.execute(
        "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1", holder
    )

    again: Ask = await provider.asked()
    again.answer("hello")
    (await provider.asked()).answer("hello")

    assert {(await tenant.ended(each)).status for each in turns} == {COMPLETED}
    probe.cut()


async def test_l13_a_cancelled_turn_ends_its_model_call(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    before = {task for task in asyncio.all_tasks() if "stream" in repr(task)}
    await cancel(tenant, turn.id)
    async with asyncio.timeout(15):
        await ask.closed.wait()

    left = {task for task in asyncio.all_tasks() if "stream" in repr(task)} - before
    assert not [task for task in left if "openai_client" in repr(task)]


async def test_a_turn_keeps_the_version_that_it_began_with(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    turn, ask = await begin(tenant, provider)
    await tenant.model(provider="openai", model="another", base_url=provider.url)
    ask.ask_for("effects__echo")
    ask = await provider.asked()
    ask.answer("hello")
    await tenant.ended(turn.id)
    _, after = await begin(tenant, provider)
    after.answer("hello")

    assert ask.body["model"] == "m"
    assert after.body["model"] == "another"


async def test_a_new_key_is_not_shown_where_the_model_was_before(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    await tenant.model(provider="openai", model="m", base_url=provider.url, api_key="sk-before")
    turn, first = await begin(tenant, provider)
    await tenant.model(
        provider="openai", model="m", base_url="http://127.0.0.1:1/v1", api_key="sk-after"
    )
    first.ask_for("effects__echo")
    second = await provider.asked()
    await tenant.model(provider="openai", model="m", base_url=provider.url, api_key="sk-again")
    second.ask_for("effects__echo")
    third = await provider.asked()
    third.answer("hello")

    assert (await tenant.ended(turn.id)).status == COMPLETED
    assert (first.key, second.key, third.key) == ("sk-before", "", "sk-again")
