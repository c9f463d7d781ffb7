"""Logs while Redis is away, or has forgotten everything."""

import asyncio
from collections.abc import AsyncGenerator

import pytest

from tests.agent_runtime.events.made import as_json, documented_fold, order_faults, seqs
from tests.agent_runtime.events.owning import (
    Reader,
    Storage,
    Writing,
    reading,
    replica,
    started,
    taken_over,
    writing,
)
from tests.waiting import until
from turnpike.agent_runtime.events.model import FenceLostError
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.events.writer import RESERVE
from turnpike.api.agent_runtime.v1.event_pb2 import Event, ToolStarted
from turnpike.cli.stack.redis import LocalRedis

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
    """The owner of a turn that has said something, and committed the first of it."""
    async with started(storage, tails=here) as owner:
        await owner.say("one ")
        await owner.commit(TOOL)
        await owner.say("two ", "three ")
        yield owner


def restart(cache: LocalRedis) -> None:
    cache.spawn()
    assert cache.wait_ready()


def texts(events: list[Event]) -> str:
    return documented_fold()([as_json(event) for event in events])


async def assert_whole(storage: Storage, owner: Writing, *readers: Reader) -> None:
    """Every reader was given each event once, in order, and folds to what is stored."""
    for reader in readers:
        events = await reader.ends()
        assert order_faults(0, events) == []
        assert texts(events) == texts(await storage.committed(owner.claim))


async def test_what_is_said_while_redis_is_away_is_appended_later(
    storage: Storage, cache: LocalRedis, here: Tails, elsewhere: Tails, owner: Writing
):
    async with (
        reading(storage, here, owner.claim) as near,
        reading(storage, elsewhere, owner.claim) as far,
    ):
        cache.stop()
        try:
            owner.writer.emit_text("four ")
            # It is not shown until Redis or Postgres has it.
            assert seqs(owner.shown) == [1, 2, 3, 4]
        finally:
            restart(cache)
        await near.has(5)
        await far.has(5)
        assert seqs(await storage.cached(owner.claim)) == [3, 4, 5]
        await owner.end()
        await assert_whole(storage, owner, near, far)


async def test_what_is_committed_while_redis_is_away_is_shown_all_the_same(
    storage: Storage, cache: LocalRedis, here: Tails, elsewhere: Tails, owner: Writing
):
    async with (
        reading(storage, here, owner.claim) as near,
        reading(storage, elsewhere, owner.claim) as far,
    ):
        cache.stop()
        try:
            owner.writer.emit_text("four ")
            await owner.commit(TOOL)
            await near.has(6)
            await far.has(6)
            # Also to who comes only now.
            async with reading(storage, elsewhere, owner.claim) as late:
                await late.has(6)
                assert order_faults(0, late.events) == []
        finally:
            restart(cache)
        await owner.say("five")
        await owner.end()
        await assert_whole(storage, owner, near, far)


async def test_a_turn_ends_while_redis_is_away(
    storage: Storage, cache: LocalRedis, here: Tails, elsewhere: Tails, owner: Writing
):
    async with (
        reading(storage, here, owner.claim) as near,
        reading(storage, elsewhere, owner.claim) as far,
    ):
        cache.stop()
        try:
            ending = asyncio.create_task(owner.end())
            await assert_whole(storage, owner, near, far)
        finally:
            restart(cache)
        await ending


async def test_a_living_owner_writes_again_what_redis_forgot_with_the_same_numbers(
    storage: Storage, here: Tails, elsewhere: Tails, owner: Writing
):
    before = await storage.cached(owner.claim)
    async with (
        reading(storage, here, owner.claim) as near,
        reading(storage, elsewhere, owner.claim) as far,
    ):
        await far.has(4)
        await storage.redis.flushall()
        await owner.say("four ")

        # From the last commit on.
        again = await storage.cached(owner.claim)
        assert again[:-1] == [event for event in before if event.seq > 2]
        assert seqs(again) == [3, 4, 5]
        await far.has(5)
        await owner.end()
        await assert_whole(storage, owner, near, far)


async def test_a_reader_who_comes_before_redis_is_whole_again_gets_everything_once(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    await storage.redis.flushall()
    async with reading(storage, elsewhere, owner.claim) as late:
        # So far only Postgres knows something.
        await late.has(2)
        await owner.say("four ")
        await late.has(5)
        assert order_faults(0, late.events) == []


async def test_a_log_that_is_forgotten_twice_is_written_twice(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as far:
        for word in ("four ", "five "):
            await storage.redis.flushall()
            await owner.say(word)
        await owner.end()
        await assert_whole(storage, owner, far)


async def test_a_commit_that_redis_forgot_is_read_from_postgres(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as far:
        await storage.redis.flushall()
        await owner.commit(TOOL)
        await far.has(5)
        await owner.reset(5)
        await owner.end()
        await assert_whole(storage, owner, far)


async def test_who_takes_over_goes_on_above_every_number_that_may_have_been_shown(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as far:
        await far.has(4)
        await storage.redis.flushall()
        async with taken_over(storage, owner) as second:
            await second.say("other")
            await second.end()

            assert second.shown[0].seq > RESERVE
            assert second.shown[0].log_reset.after_seq == 2
            await assert_whole(storage, owner, far)


async def test_who_takes_over_a_log_that_was_being_written_again_reuses_no_number(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as far:
        await far.has(4)
        await storage.redis.flushall()
        # The owner opened its log again, and died before it wrote the rest.
        owner.appending.cancel()
        await storage.log.open(owner.claim, committed=2, if_lost=2, shown=4)
        async with taken_over(storage, owner) as second:
            await second.say("other", "words")
            await second.end()
            await assert_whole(storage, owner, far)


async def test_a_process_that_may_be_dead_opens_nothing(storage: Storage, owner: Writing):
    owner.fresh = False
    await storage.redis.flushall()
    owner.writer.emit_text("four ")
    newer = await storage.take_over(owner.claim)
    await storage.log.open(newer, committed=2, if_lost=RESERVE)
    owner.fresh = True

    with pytest.raises(FenceLostError):
        await owner.appending
    assert await storage.cached(owner.claim) == []
    assert seqs(owner.shown) == [1, 2, 3, 4]


async def test_a_process_that_is_alive_again_opens_its_log(storage: Storage, owner: Writing):
    owner.fresh = False
    await storage.redis.flushall()
    owner.writer.emit_text("four ")
    refused = asyncio.create_task(owner.writer.flush())
    await asyncio.wait([refused], timeout=0.1)
    assert await storage.cached(owner.claim) == []

    owner.fresh = True
    await refused
    assert seqs(await storage.cached(owner.claim)) == [3, 4, 5]


async def test_a_claim_that_began_while_redis_was_away_owns_the_log_when_it_is_back(
    storage: Storage, elsewhere: Tails, owner: Writing
):
    async with reading(storage, elsewhere, owner.claim) as far:
        newer = await storage.take_over(owner.claim)
        # It could not open the log: nobody knows what Redis has shown.
        async with writing(storage, newer, last=RESERVE) as second:
            await second.reset(2)
            await second.say("other")
            await second.end()
            await assert_whole(storage, owner, far)

        owner.writer.emit_text("from the grave")
        with pytest.raises(FenceLostError):
            await owner.appending


async def test_numbers_that_a_commit_took_back_are_not_in_what_is_written_again(
    storage: Storage, owner: Writing
):
    async def refuse(_: object) -> None:
        await storage.redis.flushall()
        raise FenceLostError

    with pytest.raises(FenceLostError):
        await owner.writer.commit([TOOL], refuse)
    await owner.say("four ")

    assert seqs(await storage.cached(owner.claim)) == [3, 4, 5]
    await until(lambda: seqs(owner.shown) == [1, 2, 3, 4, 5])


async def test_an_owner_is_cancelled_at_whatever_moment_redis_goes_away(
    storage: Storage, cache: LocalRedis
):
    moments = 16
    claim = await storage.claim()
    # The client looks at a connection that it kept before it uses it, and there loses
    # a cancellation: one connection for each moment.
    await asyncio.gather(*(storage.redis.blpop(["nothing"], timeout=0.1) for _ in range(moments)))
    cache.stop()
    try:
        for ticks in range(moments):
            async with writing(storage, claim) as owner:
                owner.writer.emit_text("text")
                for _ in range(ticks):
                    await asyncio.sleep(0)
                owner.appending.cancel()
                assert (await asyncio.wait([owner.appending], timeout=15))[0]
    finally:
        restart(cache)
