"""A thread that fills its model's context: what stands for its oldest turns, whoever goes on."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.world import Served, World, begin, kinds, watching
from tests.waiting import until
from turnpike.agent_runtime.prefix.model import Head, Ledger, Sent
from turnpike.agent_runtime.turns.compacting import Compaction, compaction
from turnpike.agent_runtime.turns.model import Call, PastTurn, Step, Turn
from turnpike.api.agent_runtime.v1.model_service_pb2 import Limits
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn as TurnMessage

WINDOW = 1000


@pytest.fixture(scope="module")
async def here(world: World) -> AsyncGenerator[Served]:
    """A replica that gives slots back soon."""
    async with world.replica(slot_patience=0.5) as served:
        yield served


@pytest.fixture
async def full(world: World, tenant: Tenant, provider: Provider) -> tuple[TurnMessage, Ask]:
    """A turn in a thread that has no room left, and its model call."""
    limits = Limits(context_window=WINDOW)
    await tenant.model(provider="openai", model="m", base_url=world.provider.url, limits=limits)
    turn, ask = await begin(tenant, provider, text="a long story " + "x" * 900)
    ask.say("well told")
    ask.end(tokens=(WINDOW - 50, 2))
    await tenant.ended(turn.id)
    return await begin(tenant, provider, thread=turn.thread, text="and then?")


def is_short(ask: Ask) -> bool:
    """Says whether an extract stands for the long story."""
    roles = [role for role, _ in ask.prompt]
    return (
        roles == ["user", "assistant", "user"]
        and b"x" * 300 not in ask.sent
        and b"left out" in ask.sent
    )


async def test_row_56_who_takes_over_comes_to_the_same_and_says_it_once(
    world: World, tenant: Tenant, provider: Provider, full: tuple[TurnMessage, Ask]
):
    turn, ask = full
    async with watching(tenant, turn.id) as reader:
        ask.say("half")
        await reader.reads("half")
        await world.superuser.execute(
            "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1", turn.id
        )
        again = await provider.asked()
        again.answer("whole")
        events = await reader.ends()

    assert is_short(ask) and again.sent == ask.sent
    assert kinds(await world.log(turn.id)).count("context_compacted") == 1
    last = kinds(events)[::-1]
    # Once more after the reset that voids the first time.
    assert last.index("context_compacted") < last.index("log_reset")


async def test_row_56_who_goes_on_after_a_pause_says_it_no_more(
    world: World,
    here: Served,
    tenant: Tenant,
    provider: Provider,
    full: tuple[TurnMessage, Ask],
):
    turn, ask = full

    async def waits() -> bool:
        return (await world.row(turn.id))["status"] == "WAITING"

    ask.refuse(429, {"retry-after": "30"})
    await until(waits)
    await world.rested(here)
    again = await provider.asked()
    again.answer("whole")
    await tenant.ended(turn.id)

    assert is_short(ask) and again.sent == ask.sent
    log = await world.log(turn.id)
    assert kinds(log).count("context_compacted") == 1
    row = await world.superuser.fetchrow(
        "SELECT epoch, last_miss FROM prefix_sessions WHERE session = $1", turn.thread
    )
    assert tuple(row or ()) == (2, "EPOCH_COMPACTION")


def past(position: int, asked: str, answered: str = "fine", *, tools: int = 0) -> PastTurn:
    calls = [
        Call(
            ordinal=number,
            call_id="",
            provider_id="",
            name="a/tool",
            arguments="{}",
            definition_digest="",
            outcome="OK",
            result="r" * 100,
        )
        for number in range(tools)
    ]
    turn = uuid4()
    step = Step(turn=turn, number=1, text=answered, reasoning="", done=True, calls=calls)
    return PastTurn(
        id=turn,
        position=position,
        input=[{"text": asked}],
        created=datetime.now(UTC),
        time_zone="",
        steps=[step],
    )


def compacted(
    turns: list[PastTurn], now: Turn, *, tokens: int, window: int = WINDOW, head: Head | None = None
) -> Compaction | None:
    """Returns what becomes of a thread whose tokens are bytes."""
    sent = Sent(elements=2, bytes=tokens, tokens=tokens)
    base = head or Head()
    ledger = Ledger(
        Head(revision=1, sent=sent, summary=base.summary, summarised=base.summarised), ()
    )
    return compaction(ledger, turns, now, window)


@pytest.fixture
def now() -> Turn:
    """A turn that asks little."""
    turn = object.__new__(Turn)
    object.__setattr__(turn, "input", [{"text": "and?"}])
    return turn


def test_nothing_is_left_out_while_there_is_room_or_nobody_knows(now: Turn):
    turns = [past(number, "x" * 90) for number in range(1, 9)]

    assert compacted(turns, now, tokens=790) is None
    assert compacted(turns, now, tokens=2000, window=0) is None
    assert compacted(turns, now, tokens=800) is not None


def test_a_large_input_counts_before_it_is_sent(now: Turn):
    turns = [past(number, "x" * 90) for number in range(1, 9)]
    object.__setattr__(now, "input", [{"text": "y" * 300}])

    assert compacted(turns, now, tokens=600) is not None


def test_the_newest_turns_stay_and_the_others_are_told_in_short(now: Turn):
    turns = [past(number, f"question {number} " + "x" * 90, tools=1) for number in range(1, 7)]

    found = compacted(turns, now, tokens=1000, window=1200)

    assert found is not None
    # Each has about 210 bytes: what fits into 0.3 of the window stays.
    assert (found.through, found.turns, found.tokens) == (5, 5, 1000)
    assert len(found.summary.encode()) <= 120
    assert found.summary.startswith("[Earlier turns")


def test_an_extract_of_an_extract_leaves_out_the_oldest_lines(now: Turn):
    told = "[Earlier]\n" + "\n".join(f"- asked: {number}; answered: ok" for number in range(9))
    head = Head(summary=told, summarised=9)
    turns = [past(number, f"number {number} " + "x" * 400) for number in range(1, 14)]

    found = compacted(turns, now, tokens=2000, window=2000, head=head)

    assert found is not None
    lines = found.summary.split("\n")
    assert lines[0] == "[Earlier]" and "number 10" in found.summary
    assert "number 9" not in found.summary and "asked: 0;" not in found.summary
    assert len(found.summary.encode()) <= 200


def test_what_would_hardly_make_room_is_not_worth_a_cold_cache(now: Turn):
    # Nearly all of it are instructions and tools.
    turns = [past(1, "x" * 120), past(2, "x" * 280)]

    assert compacted(turns, now, tokens=880) is None
    assert compacted(turns, now, tokens=960) is not None
