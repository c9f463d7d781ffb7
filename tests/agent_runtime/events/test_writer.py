"""The owner's end of a log, while everything is there."""

import asyncio

import pytest

from tests.agent_runtime.events.made import as_json, documented_fold, order_faults, seqs
from tests.agent_runtime.events.owning import Storage, started, taken_over, writing
from turnpike.agent_runtime.events.model import Batch, CancelDesiredError, FenceLostError
from turnpike.agent_runtime.events.writer import RESERVE
from turnpike.api.agent_runtime.v1.event_pb2 import Event, StepStarted, ToolStarted

STEP = {"step_started": StepStarted(step=1)}
TOOL = {"tool_started": ToolStarted(call_id="call")}


def kinds(events: list[Event]) -> list[str]:
    return [str(event.WhichOneof("body")) for event in events]


def said(events: list[Event]) -> list[str]:
    return [event.text_delta.text for event in events if event.HasField("text_delta")]


async def appends(storage: Storage) -> int:
    """How many appends Redis was asked for since its statistics were reset."""
    return (await storage.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]


async def test_what_arrives_in_one_tick_is_one_event_and_one_append(storage: Storage):
    async with started(storage) as owner:
        await owner.say("first")
        await storage.redis.config_resetstat()

        for word in ("one ", "two ", "three"):
            owner.writer.emit_text(word)
        await owner.writer.flush()

        assert said(owner.shown) == ["first", "one two three"]
        assert await appends(storage) == 1
        assert await storage.cached(owner.claim) == owner.shown


async def test_events_of_one_tick_are_one_append(storage: Storage):
    async with started(storage) as owner:
        await owner.say("first")
        await storage.redis.config_resetstat()

        owner.writer.emit(**STEP)
        owner.writer.emit_reasoning("hm")
        owner.writer.emit_text("so")
        await owner.writer.flush()

        assert await appends(storage) == 1
        assert seqs(await storage.cached(owner.claim)) == [1, 2, 3, 4]


async def test_a_text_event_takes_four_kibibytes_and_no_more(storage: Storage):
    async with started(storage) as owner:
        for _ in range(100):
            owner.writer.emit_text("x" * 100)
        await owner.writer.flush()

        sizes = [len(each) for each in said(owner.shown)]
        assert sum(sizes) == 10_000
        assert len(sizes) == 3
        assert max(sizes) < 4096 + 100


async def test_texts_of_different_kinds_never_merge(storage: Storage):
    async with started(storage) as owner:
        owner.writer.emit_text("a")
        owner.writer.emit_reasoning("b")
        owner.writer.emit_reasoning("c")
        owner.writer.emit_text("d")
        owner.writer.emit(**TOOL)
        owner.writer.emit_text("e")
        await owner.writer.flush()

        assert kinds(owner.shown) == [
            "text_delta",
            "reasoning_delta",
            "text_delta",
            "tool_started",
            "text_delta",
        ]
        assert owner.shown[1].reasoning_delta.text == "bc"


async def test_text_never_merges_across_a_commit(storage: Storage):
    async with started(storage) as owner:
        owner.writer.emit_text("before")
        await owner.commit(TOOL)
        owner.writer.emit_text("after")
        await owner.writer.flush()

        assert said(owner.shown) == ["before", "after"]
        assert kinds(owner.shown) == ["text_delta", "tool_started", "text_delta"]


async def test_a_commit_takes_what_was_emitted_before_it_with_it(storage: Storage):
    async with started(storage) as owner:
        owner.writer.emit_text("before")
        await owner.commit(TOOL)

        assert kinds(await storage.committed(owner.claim)) == ["text_delta", "tool_started"]
        assert (await storage.head(owner.claim)).committed == 2
        assert (await storage.head(owner.claim)).reserved == 2 + RESERVE


async def test_nothing_of_a_commit_is_shown_before_it_stands(storage: Storage):
    async with started(storage) as owner:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def store(batch: Batch) -> None:
            asked.set()
            await answer.wait()
            await owner.commit_log(batch)

        await owner.say("text")
        owner.writer.emit_text("more text")
        committing = asyncio.create_task(owner.writer.commit([TOOL], store))
        await asked.wait()
        # The text before it needs no commit; everything that can be appended is.
        while len(owner.shown) < 2:
            await asyncio.wait([committing], timeout=0.01)

        assert said(owner.shown) == ["text", "more text"]
        assert seqs(await storage.cached(owner.claim)) == [1, 2]
        assert await storage.committed(owner.claim) == []

        answer.set()
        await committing
        await owner.writer.flush()
        assert kinds(owner.shown) == ["text_delta", "text_delta", "tool_started"]
        assert await storage.cached(owner.claim) == await storage.committed(owner.claim)


async def test_a_commit_that_fails_takes_its_numbers_back(storage: Storage):
    async def refuse(batch: Batch) -> None:
        assert batch.last == 3
        raise CancelDesiredError

    async with started(storage) as owner:
        await owner.say("text")
        with pytest.raises(CancelDesiredError):
            await owner.writer.commit([TOOL, TOOL], refuse)
        await owner.writer.flush()
        assert seqs(owner.shown) == [1]

        await owner.end()

        assert seqs(owner.shown) == [1, 2]
        assert kinds(owner.shown) == ["text_delta", "turn_finished"]
        assert await storage.cached(owner.claim) == owner.shown
        assert await storage.committed(owner.claim) == owner.shown


async def test_a_cancellation_that_is_desired_refuses_the_commit_and_lets_the_turn_end(
    storage: Storage,
):
    async with started(storage) as owner:
        claim = owner.claim

        async def store(batch: Batch) -> None:
            await storage.store.commit_done(claim, 1, [], batch)

        await owner.say("text")
        await storage.superuser.execute(
            "UPDATE turns SET desired = 'cancel' WHERE id = $1", claim.turn
        )
        with pytest.raises(CancelDesiredError):
            await owner.writer.commit([TOOL], store)
        assert await storage.committed(claim) == []

        with pytest.raises(CancelDesiredError):
            await owner.end()
        assert await storage.committed(claim) == []
        assert seqs(owner.shown) == [1]


@pytest.mark.parametrize("times", [1, 3])
async def test_cancelling_a_commit_in_the_middle_leaves_it_whole(storage: Storage, times: int):
    async with started(storage) as owner:
        asked, answer = asyncio.Event(), asyncio.Event()

        async def store(batch: Batch) -> None:
            asked.set()
            await answer.wait()
            await owner.commit_log(batch)

        committing = asyncio.create_task(owner.writer.commit([TOOL], store))
        await asked.wait()
        for _ in range(times):
            committing.cancel()
            await asyncio.wait([committing], timeout=0.01)
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await committing

        await owner.end()

        assert kinds(owner.shown) == ["tool_started", "turn_finished"]
        assert await storage.committed(owner.claim) == owner.shown
        assert await storage.cached(owner.claim) == owner.shown


async def test_a_reset_voids_what_was_said_since_the_mark(storage: Storage):
    async with started(storage) as owner:
        owner.writer.emit(**STEP)
        mark = owner.writer.mark()
        await owner.say("void", "void too")
        await owner.reset(mark)
        await owner.say("stands")
        assert seqs(await storage.cached(owner.claim)) == [1, 4, 5]
        await owner.end()

        assert order_faults(0, owner.shown) == []
        assert documented_fold()([as_json(event) for event in owner.shown]) == "stands"
        assert seqs(await storage.committed(owner.claim)) == [1, 4, 5, 6]


async def test_what_was_never_sent_before_a_reset_never_is(storage: Storage):
    async with started(storage) as owner:
        mark = owner.writer.mark()
        owner.writer.emit_text("nobody sees this")
        await owner.reset(mark)
        await owner.writer.flush()

        assert kinds(owner.shown) == ["log_reset"]
        assert seqs(await storage.cached(owner.claim)) == [2]


async def test_the_tail_below_the_last_but_one_commit_is_trimmed(storage: Storage):
    async with started(storage) as owner:
        for _ in range(4):
            await owner.commit(TOOL)
        await owner.writer.flush()
        await owner.say("text")

        assert seqs(await storage.cached(owner.claim)) == [3, 4, 5]
        assert seqs(await storage.committed(owner.claim)) == [1, 2, 3, 4]


async def test_numbers_are_reserved_before_more_than_ten_thousand_are_shown(storage: Storage):
    reserved: list[tuple[int, int]] = []

    async with started(storage) as owner:
        claim = owner.claim

    async def reserve(up_to: int) -> None:
        reserved.append((up_to, await storage.log.last(claim.turn)))
        await storage.store.reserve(claim, up_to)

    async with writing(storage, claim, reserve=reserve) as owner:
        for _ in range(RESERVE + 5):
            owner.writer.emit(**TOOL)
        await owner.writer.flush()

        assert len(owner.shown) == RESERVE + 5
        assert len(reserved) == 1
        up_to, shown = reserved[0]
        assert shown <= RESERVE < up_to
        head = await storage.head(claim)
        assert head.reserved == up_to
        assert (head.committed, head.ended) == (0, False)


async def test_a_stale_owner_shows_nothing(storage: Storage):
    async with started(storage) as owner:
        await owner.say("text")
        newer = await storage.take_over(owner.claim)
        await storage.log.open(newer, committed=0, if_lost=RESERVE)

        owner.writer.emit_text("from the grave")
        with pytest.raises(FenceLostError):
            await owner.appending

        assert said(owner.shown) == ["text"]
        assert said(await storage.cached(owner.claim)) == ["text"]


async def test_a_stale_owner_reserves_nothing_and_shows_nothing(storage: Storage):
    async with started(storage) as owner:
        await storage.take_over(owner.claim)
        for _ in range(RESERVE + 1):
            owner.writer.emit(**TOOL)
        with pytest.raises(FenceLostError):
            await owner.appending

        assert len(owner.shown) <= RESERVE
        assert (await storage.head(owner.claim)).reserved == RESERVE


async def test_a_stale_owner_commits_nothing_and_shows_nothing_of_it(storage: Storage):
    async with started(storage) as owner:
        await storage.take_over(owner.claim)

        with pytest.raises(FenceLostError):
            await owner.commit(TOOL)
        with pytest.raises(FenceLostError):
            await owner.end()

        assert owner.shown == []
        assert await storage.committed(owner.claim) == []


async def test_whoever_takes_over_voids_what_was_never_committed(storage: Storage):
    async with started(storage) as first:
        first.writer.emit(**STEP)
        await first.commit(TOOL)
        await first.say("half a", "reply")
        async with taken_over(storage, first) as second:
            await second.say("another reply")
            assert seqs(await storage.cached(first.claim)) == [2, 5, 6]
            await second.end()

            shown = [*first.shown, *second.shown]
            assert order_faults(0, shown) == []
            assert seqs(await storage.committed(first.claim)) == [1, 2, 5, 6, 7]
            assert documented_fold()([as_json(event) for event in shown]) == "another reply"
