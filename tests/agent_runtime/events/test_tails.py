"""Readers: many of them, on any replica, at any point of a log."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import pytest

from tests.agent_runtime.events.made import order_faults, seqs
from tests.agent_runtime.events.owning import (
    Storage,
    Writing,
    reading,
    replica,
    started,
    taken_over,
)
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.events.fold import standing
from turnpike.agent_runtime.events.tails import Tails
from turnpike.api.agent_runtime.v1.event_pb2 import Event, ToolStarted
from turnpike.rpc.errors import UnavailableError

TOOL = {"tool_started": ToolStarted(call_id="call")}


@pytest.fixture
async def here(storage: Storage) -> AsyncGenerator[Tails]:
    """The tails of the replica that the owner is on."""
    async with replica(storage) as tails:
        yield tails


@pytest.fixture
async def elsewhere(storage: Storage) -> AsyncGenerator[Tails]:
    """The tails of another replica."""
    async with replica(storage) as tails:
        yield tails


@pytest.fixture
async def owner(storage: Storage, here: Tails) -> AsyncGenerator[Writing]:
    """The owner of a new turn."""
    async with started(storage, tails=here) as owner:
        yield owner


async def whole_log(owner: Writing) -> list[Event]:
    """Writes a log with commits, deltas and resets, and returns all that was shown."""
    await owner.say("a", "b")
    await owner.commit(TOOL)
    await owner.say("void", "void")
    await owner.reset(3)
    await owner.say("c")
    await owner.commit(TOOL, TOOL)
    await owner.say("d", "e")
    await owner.end()
    return owner.shown


async def test_readers_on_every_replica_are_given_the_log_as_it_is_written(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    async with (
        reading(storage, here, owner.claim) as near,
        reading(storage, elsewhere, owner.claim) as far,
    ):
        for number in range(1, 6):
            await owner.say(f"{number}")
            await near.has(number)
            await far.has(number)
        await owner.end()

        assert await near.ends() == owner.shown
        assert await far.ends() == owner.shown


async def test_fifty_readers_of_one_turn_are_given_the_same(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    async with AsyncExitStack() as attached:
        readers = [
            await attached.enter_async_context(reading(storage, tails, owner.claim))
            for tails in (here, elsewhere)
            for _ in range(25)
        ]
        shown = await whole_log(owner)

        given = [await reader.ends() for reader in readers]

    # Who comes to what is void after the reset is given the reset alone.
    assert all(order_faults(0, events) == [] for events in given)
    assert all(standing(events) == standing(shown) for events in given)


@pytest.mark.parametrize("lost", [False, True], ids=["in redis", "in postgres alone"])
async def test_a_reader_may_attach_at_every_point_of_a_log_that_has_ended(
    storage: Storage, elsewhere: Tails, owner: Writing, lost: bool
):
    shown = await whole_log(owner)
    if lost:
        await storage.redis.flushall()
    stands = [event for event in shown if event.seq not in (4, 5)]

    for cursor in range(shown[-1].seq):
        async with reading(storage, elsewhere, owner.claim, cursor) as reader:
            given = await reader.ends()
        assert order_faults(cursor, given) == []
        assert given == [event for event in stands if event.seq > cursor]


async def test_a_reader_who_has_read_to_the_end_is_told_so(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    shown = await whole_log(owner)

    async with reading(storage, elsewhere, owner.claim, shown[-1].seq) as reader:
        assert await reader.ends() == []


async def test_a_reader_may_attach_at_every_point_of_a_log_that_goes_on(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    await owner.say("a", "b")
    await owner.commit(TOOL)
    await owner.say("c", "d")
    async with AsyncExitStack() as attached:
        readers = [
            (
                cursor,
                await attached.enter_async_context(reading(storage, tails, owner.claim, cursor)),
            )
            for tails in (here, elsewhere)
            for cursor in range(6)
        ]
        await owner.say("e")
        await owner.end()

        for cursor, reader in readers:
            assert await reader.ends() == owner.shown[cursor:]


async def test_a_cursor_inside_a_resets_range_is_given_the_reset_first(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    await owner.say("a")
    await owner.commit(TOOL)
    await owner.say("void", "void", "void")
    await owner.reset(2)
    await owner.say("b")

    for tails in (here, elsewhere):
        for cursor in (2, 3, 4, 5):
            async with reading(storage, tails, owner.claim, cursor) as reader:
                await reader.has(7)
                assert reader.events[0].log_reset.after_seq == 2
                assert seqs(reader.events) == [6, 7]


async def test_a_late_reader_is_not_shown_what_is_void(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    await owner.say("a")
    await owner.commit(TOOL)
    await owner.say("void", "void", "void")
    await owner.reset(2)

    for tails in (here, elsewhere):
        async with reading(storage, tails, owner.claim) as reader:
            await reader.has(6)
            assert seqs(reader.events) == [1, 2, 6]


async def test_what_redis_lacks_comes_from_postgres(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    await owner.say("a", "b")
    await owner.commit(TOOL)
    await owner.commit(TOOL)
    await owner.commit(TOOL)
    await owner.say("c")
    # The head was trimmed by the second commit after it.
    assert seqs(await storage.cached(owner.claim))[0] > 1

    async with reading(storage, elsewhere, owner.claim) as reader:
        await reader.has(6)
        assert seqs(reader.events) == [1, 2, 3, 4, 5, 6]


async def test_a_commit_that_redis_never_heard_of_is_shown_all_the_same(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as reader:
        await owner.say("a")
        await reader.has(1)
        owner.appending.cancel()
        await owner.commit(TOOL)
        await reader.has(2)
        assert seqs(await storage.cached(owner.claim)) == [1]


async def test_a_reader_who_missed_what_stands_before_a_reset_is_given_it(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as reader:
        await owner.say("a")
        await reader.has(1)
        # Committed while Redis was not there, and a reset at once when it was back.
        owner.appending.cancel()
        await owner.commit(TOOL, TOOL)
        await owner.reset(3)
        await storage.redis.flushall()
        await storage.log.open(owner.claim, committed=3, if_lost=3)
        await storage.log.append(
            owner.claim, 4, [owner.shown[-1].SerializeToString()], void_after=3
        )
        await reader.has(4)
        assert seqs(reader.events) == [1, 2, 3, 4]


async def test_readers_who_were_there_before_the_owner_came_and_stay_after_it(
    storage: Storage, here: Tails, elsewhere: Tails
):
    async with (
        started(storage, tails=here) as first,
        reading(storage, elsewhere, first.claim) as reader,
    ):
        await first.say("a")
        await first.commit(TOOL)
        await first.say("half")
        await reader.has(3)
        first.appending.cancel()
        # The reader's own replica takes the turn over, and gives it up again.
        async with taken_over(storage, first, tails=elsewhere) as second:
            await second.say("b")
            await second.commit(TOOL)
            await reader.has(6)
        async with taken_over(storage, second, tails=here) as third:
            await third.say("c")
            await third.end()

        given = await reader.ends()
        assert given == [*first.shown, *second.shown, *third.shown]
        assert order_faults(0, given) == []


async def test_a_slow_reader_is_served_although_the_tail_has_long_gone_on(
    storage: Storage, here: Tails, owner: Writing
):
    await owner.say("first")
    slow = here.watch(await storage.head(owner.claim), 0)
    given = list(await anext(slow))

    for _ in range(700):
        owner.writer.emit(**TOOL)
    await owner.commit(TOOL)
    for _ in range(700):
        owner.writer.emit(**TOOL)
    await owner.end()

    async for events in slow:
        given.extend(events)
    assert given == owner.shown
    assert len(given) == 1403


async def test_a_quiet_log_has_a_heartbeat(storage: Storage, owner: Writing):
    async with (
        replica(storage, heartbeat_seconds=0.02) as tails,
        reading(storage, tails, owner.claim) as reader,
    ):
        await owner.say("a")
        await reader.has(1)
        before = reader.heartbeats
        await reader.until(lambda: reader.heartbeats >= before + 3)
        assert seqs(reader.events) == [1]


async def test_who_has_nothing_to_be_given_yet_is_told_at_once(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    watching = elsewhere.watch(await storage.head(owner.claim), 0)
    async with asyncio.timeout(15):
        assert await anext(watching) == []
    await watching.aclose()


async def test_a_replica_without_readers_follows_nothing_and_misses_nothing_later(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    await owner.say("a", "b", "c")
    async with reading(storage, elsewhere, owner.claim) as reader:
        await reader.has(3)
    await owner.say("d", "e")
    async with reading(storage, elsewhere, owner.claim, 3) as reader:
        await reader.has(5)
        assert seqs(reader.events) == [4, 5]


async def test_committed_events_are_read_in_pages(storage: Storage, owner: Writing):
    for _ in range(120):
        await owner.commit(TOOL)

    page = await storage.batches.after(owner.claim.tenant, owner.claim.turn, 0)
    assert 0 < len(page) < 120
    assert seqs(await storage.committed(owner.claim)) == list(range(1, 121))
    rest = await storage.batches.after(owner.claim.tenant, owner.claim.turn, 118)
    assert seqs(rest) == [119, 120]


async def test_committed_events_of_another_tenant_are_nobodys(storage: Storage, owner: Writing):
    await owner.commit(TOOL)

    assert await storage.batches.after(owner.claim.owner, owner.claim.turn, 0) == []


async def test_a_cursor_within_a_batch_is_given_the_rest_of_it(storage: Storage, owner: Writing):
    await owner.commit(TOOL, TOOL, TOOL)

    rest = await storage.batches.after(owner.claim.tenant, owner.claim.turn, 2)
    assert rest == owner.shown[2:]


async def test_heads_are_told_of_any_tenants_turns(storage: Storage, owner: Writing):
    await owner.commit(TOOL, TOOL)
    async with started(storage) as other:
        await other.commit(TOOL)
        turns = [owner.claim.turn, other.claim.turn, other.claim.owner]

        assert await storage.batches.committed(turns) == {turns[0]: 2, turns[1]: 1}


async def test_a_replica_that_drains_sends_its_readers_elsewhere_with_all_that_it_has(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as reader:
        await owner.say("a")
        await reader.has(1)
        elsewhere.close()
        with pytest.raises(UnavailableError):
            await reader.ends()
    async with reading(storage, here, owner.claim, after=1) as reader:
        await owner.end()
        assert seqs(await reader.ends()) == [2]


async def test_readers_of_a_turn_that_is_deleted_are_told_so(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as reader:
        await storage.superuser.execute("DELETE FROM threads WHERE id = $1", owner.claim.thread)
        with pytest.raises(NotFoundError):
            await reader.ends()
