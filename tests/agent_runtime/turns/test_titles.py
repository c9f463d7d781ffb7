"""Titles of threads: by the planner where there is one, beside the turn and never before it."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import pytest

from tests.agent_runtime.models.configuring import create, model
from tests.agent_runtime.models.keeping import pb, set_mode
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.books import Books, opened
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.world import Served, World, begin, kinds, watching
from tests.waiting import until
from turnpike.agent_runtime.turns.titling import clean
from turnpike.api.agent_runtime.v1 import thread_service_pb2 as threads
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.model_service_pb2 import Prices
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus

COMPLETED = TurnStatus.TURN_STATUS_COMPLETED
PRICES = Prices(input=1_000_000, output=2_000_000)


@pytest.fixture(scope="module")
async def here(world: World) -> AsyncGenerator[Served]:
    """A replica whose planners may take as long as these tests."""
    async with world.replica(planner_timeout=60) as served:
        yield served


@pytest.fixture
async def tenant(world: World, here: Served) -> Tenant:
    """A tenant with a planner."""
    return await planned(world, await world.tenant(here))


async def planned(world: World, tenant: Tenant) -> Tenant:
    """Gives a tenant a planner."""
    await tenant.model(
        "planner",
        provider="openai",
        model="p",
        base_url=world.provider.url,
        role="planner",
        prices=PRICES,
    )
    return tenant


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with opened(world) as books:
        yield books


async def begun(tenant: Tenant, provider: Provider, **fields: Any) -> tuple[Turn, Ask, Ask]:
    """Starts a turn; returns it, its model call, and the planner's."""
    turn, one = await begin(tenant, provider, **fields)
    asks = {each.body["model"]: each for each in (one, await provider.asked())}
    return turn, asks["m"], asks["p"]


async def thread_of(tenant: Tenant, turn: Turn) -> threads.Thread:
    """Returns a turn's thread."""
    request = threads.GetThreadRequest(id=turn.thread)
    return (await tenant.runtime.threads.GetThread(request, metadata=tenant.admin)).thread


async def is_called(tenant: Tenant, turn: Turn, title: str) -> None:
    """Returns when a turn's thread is called so, and its replica knows."""

    async def called() -> bool:
        return (await thread_of(tenant, turn)).title == title

    await until(called)
    await until(lambda: not [task for task in asyncio.all_tasks() if "_titled" in repr(task)])


def titles(events: list[Event]) -> list[str]:
    return [each.thread_titled.title for each in events if each.HasField("thread_titled")]


async def test_a_new_thread_is_given_a_title_beside_its_first_turn(
    tenant: Tenant, provider: Provider, books: Books
):
    await books.budget(tenant, 1_000_000)
    turn, ask, planner = await begun(tenant, provider, text="How do I bake bread?")
    async with watching(tenant, turn.id) as reader:
        planner.say('"Baking', ' bread"\n')
        planner.end(tokens=(50, 3))
        await is_called(tenant, turn, "Baking bread")
        ask.end(tokens=(100, 10))
        events = await reader.ends()

    assert titles(events) == ["Baking bread"]
    assert kinds(events)[-2:] == ["thread_titled", "turn_finished"]
    assert "How do I bake bread?" in planner.prompt[-1][1]
    # What the model is asked is what it would be without one.
    assert "planner" not in str(ask.body) and len(ask.prompt) == 1

    async def is_settled() -> bool:
        return not await books.owed(turn.id) and len(await books.rows(turn.id)) > 1

    await until(is_settled)
    rows = [
        (row["kind"], row["model"], row["input_tokens"], row["output_tokens"], row["estimated"])
        for row in await books.rows(turn.id)
    ]
    assert rows == [("internal", "planner", 50, 3, False), ("chat", "model", 100, 10, False)]
    internal = (await books.rows(turn.id))[0]
    assert (internal["cost_micro_usd"], internal["default_price"]) == (0, False)


async def test_without_a_planner_nobody_is_asked(world: World, here: Served, provider: Provider):
    tenant = await world.tenant(here)
    before = len(provider.asks)
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    await tenant.ended(turn.id)
    again, ask = await begin(tenant, provider, thread=turn.thread)
    ask.answer("hello")
    await tenant.ended(again.id)

    assert [each.body["model"] for each in provider.asks[before:]] == ["m", "m"]
    assert (await thread_of(tenant, turn)).title == ""


async def test_a_slow_planner_delays_nothing_and_its_title_stands_later(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask, planner = await begun(tenant, provider)
    ask.answer("hello")
    ended = await tenant.ended(turn.id)
    planner.answer("Greetings")
    await is_called(tenant, turn, "Greetings")

    assert ended.status == COMPLETED
    assert titles(await world.log(turn.id)) == []


async def test_a_planner_that_takes_too_long_is_hung_up_on_and_recorded(
    world: World, provider: Provider, books: Books
):
    async with world.replica(planner_timeout=2) as hasty:
        tenant = await planned(world, await world.tenant(hasty))
        turn, ask, planner = await begun(tenant, provider)
        planner.say("Greet")
        await until(planner.closed.is_set)
        ask.answer("hello")
        ended = await tenant.ended(turn.id)

        async def is_recorded() -> bool:
            return len(await books.rows(turn.id)) == 2

        await until(is_recorded)
        title = (await thread_of(tenant, turn)).title
    internal = (await books.rows(turn.id))[0]
    assert (ended.status, title) == (COMPLETED, "")
    assert (internal["kind"], internal["estimated"]) == ("internal", True)
    assert internal["input_tokens"] > 0


@pytest.mark.parametrize("fault", ["401", "429", "500", "cut", "garbage", "nothing"])
async def test_a_planner_that_fails_changes_nothing(tenant: Tenant, provider: Provider, fault: str):
    before = len(provider.asks)
    turn, ask, planner = await begun(tenant, provider)
    if fault.isdigit():
        planner.refuse(int(fault))
    elif fault == "nothing":
        planner.end()
    else:
        planner.say("half")
        planner.cut() if fault == "cut" else planner.garbage()
    await until(planner.closed.is_set)
    ask.answer("hello")
    ended = await tenant.ended(turn.id)

    assert (ended.status, ended.text) == (COMPLETED, "hello")
    assert (await thread_of(tenant, turn)).title == ""
    assert len(provider.asks) == before + 2


async def test_a_title_that_a_person_gives_meanwhile_stays(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask, planner = await begun(tenant, provider)
    request = threads.UpdateThreadRequest(id=turn.thread, title="Mine")
    await tenant.runtime.threads.UpdateThread(request, metadata=tenant.admin)
    planner.answer("Theirs")
    await until(planner.closed.is_set)
    ask.answer("hello")
    await tenant.ended(turn.id)

    async def is_recorded() -> bool:
        # Whatever the planner said has been stored by then.
        return not await world.superuser.fetchval(
            "SELECT count(*) FROM usage_outbox WHERE turn = $1", UUID(turn.id)
        )

    await until(is_recorded)
    assert (await thread_of(tenant, turn)).title == "Mine"
    assert titles(await world.log(turn.id)) == []


async def test_only_a_thread_that_has_none_is_given_one(
    world: World, tenant: Tenant, provider: Provider
):
    before = len(provider.asks)
    stub = tenant.runtime.threads
    for fields in ({"title": "Mine"}, {"temporary": True}):
        request = threads.CreateThreadRequest(thread=threads.Thread(**fields))  # pyright: ignore[reportArgumentType]
        made = await stub.CreateThread(request, metadata=tenant.admin)
        turn, ask = await begin(tenant, provider, thread=made.thread.id)
        ask.answer("hello")
        await tenant.ended(turn.id)
    turn, ask, planner = await begun(tenant, provider)
    planner.answer("Greetings")
    await is_called(tenant, turn, "Greetings")
    ask.answer("hello")
    await tenant.ended(turn.id)
    again, ask = await begin(tenant, provider, thread=turn.thread)
    ask.answer("hello")
    await tenant.ended(again.id)

    asked = [each.body["model"] for each in provider.asks[before:]]
    assert (asked.count("m"), asked.count("p")) == (4, 1)


async def test_where_keys_of_one_s_own_are_required_nobody_else_s_planner_is_asked(
    world: World, tenant: Tenant, provider: Provider
):
    mine = tenant.somebody()
    await set_mode(tenant, pb.KEY_MODE_REQUIRED, mine, "SCOPE_PERSON")
    wanted = {"provider": "openai", "model": "m", "base_url": world.provider.url}
    await create(tenant, model("model", scope="SCOPE_PERSON", api_key="k", **wanted), mine)
    before = len(provider.asks)
    turn = await tenant.start(metadata=mine)
    (await provider.asked()).answer("hello")
    await tenant.ended(turn.id)

    assert [each.body["model"] for each in provider.asks[before:]] == ["m"]


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Baking bread", "Baking bread"),
        ('\n\n  "Baking bread."\nand more', "Baking bread"),
        ("**Brot backen**", "Brot backen"),
        ("# «Pain»", "Pain"),
        ("a\tb\x00c", "a b c"),
        ("", ""),
        ("'\"*\n\n", ""),
        ("word " * 40, "word " * 14 + "word…"),
        ("x" * 200, "x" * 79 + "…"),
    ],
)
def test_a_title_is_one_short_line(said: str, title: str):
    assert clean(said) == title
    assert len(clean(said)) <= 80
