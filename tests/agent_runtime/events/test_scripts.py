"""What open.lua and append.lua accept, and what they refuse."""

from dataclasses import replace
from uuid import uuid4

import pytest

from tests.agent_runtime.events.made import reset, seqs, serialized, texts
from tests.agent_runtime.events.owning import Storage, new_claim
from turnpike.agent_runtime.events.model import Claim, FenceLostError

RUNNING_MS = 24 * 3600 * 1000
FINISHED_MS = 10 * 60 * 1000


@pytest.fixture
async def claim(storage: Storage) -> Claim:
    """A claim that opened its log, which has the events 1 to 5."""
    claim = new_claim()
    await storage.log.open(claim, committed=0, if_lost=0)
    assert await storage.log.append(claim, 1, serialized(texts(1, 5)))
    return claim


def keys(claim: Claim) -> tuple[str, str]:
    return f"turn:{{{claim.turn}}}:head", f"turn:{{{claim.turn}}}:log"


def later(claim: Claim) -> Claim:
    return replace(claim, fence=claim.fence + 1, owner=uuid4())


async def append(storage: Storage, claim: Claim, first: int, last: int) -> bool:
    return await storage.log.append(claim, first, serialized(texts(first, last)))


async def test_a_stale_claim_appends_nothing(storage: Storage, claim: Claim):
    await storage.log.open(later(claim), committed=0, if_lost=0)

    with pytest.raises(FenceLostError):
        await append(storage, claim, 6, 6)

    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]


async def test_a_claim_with_the_same_fence_and_another_owner_appends_nothing(
    storage: Storage, claim: Claim
):
    with pytest.raises(FenceLostError):
        await append(storage, replace(claim, owner=uuid4()), 6, 6)

    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]


async def test_a_stale_claim_opens_nothing(storage: Storage, claim: Claim):
    newer = later(claim)
    await storage.log.open(newer, committed=0, if_lost=0)

    with pytest.raises(FenceLostError):
        await storage.log.open(claim, committed=0, if_lost=0)

    assert await append(storage, newer, 6, 6)


async def test_the_same_fence_of_another_owner_opens_nothing(storage: Storage, claim: Claim):
    with pytest.raises(FenceLostError):
        await storage.log.open(replace(claim, owner=uuid4()), committed=0, if_lost=0)

    assert await append(storage, claim, 6, 6)


async def test_a_claim_opens_its_own_log_again_where_it_stands(storage: Storage, claim: Claim):
    assert await storage.log.open(claim, committed=2, if_lost=2) == (True, 5)
    assert await append(storage, claim, 6, 6)


async def test_the_next_claim_goes_on_where_the_head_stands(storage: Storage, claim: Claim):
    newer = later(claim)

    assert await storage.log.open(newer, committed=2, if_lost=10_000) == (True, 5)
    assert await append(storage, newer, 6, 6)


async def test_the_next_claim_goes_on_above_what_was_committed(storage: Storage, claim: Claim):
    # The last owner committed 9 events and died before Redis had them.
    assert await storage.log.open(later(claim), committed=9, if_lost=10_000) == (True, 9)


async def test_a_lost_head_is_made_anew_where_the_claim_says(storage: Storage, claim: Claim):
    await storage.redis.flushall()

    assert await storage.log.open(later(claim), committed=2, if_lost=10_000) == (False, 10_000)


async def test_a_stream_that_outlived_its_head_does_not_refuse_what_is_written_again(
    storage: Storage, claim: Claim
):
    await storage.redis.delete(keys(claim)[0])

    assert await storage.log.open(claim, committed=2, if_lost=2) == (False, 2)
    assert await append(storage, claim, 3, 5)
    assert seqs(await storage.cached(claim)) == [3, 4, 5]


async def test_who_takes_over_a_log_that_is_being_written_again_goes_on_above_what_was_shown(
    storage: Storage, claim: Claim
):
    await storage.redis.flushall()
    await storage.log.open(claim, committed=2, if_lost=2, shown=5)
    await append(storage, claim, 3, 3)
    # Here the owner dies; its readers have seen 5.

    assert await storage.log.open(later(claim), committed=2, if_lost=10_000) == (True, 5)


async def test_a_gap_is_refused(storage: Storage, claim: Claim):
    assert not await append(storage, claim, 7, 8)
    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]
    assert await storage.log.last(claim.turn) == 5


async def test_a_reset_may_jump(storage: Storage, claim: Claim):
    events = [reset(10_001, 3)]

    assert await storage.log.append(claim, 10_001, serialized(events), void_after=3)
    assert seqs(await storage.cached(claim)) == [1, 2, 3, 10_001]
    assert await append(storage, claim, 10_002, 10_002)


async def test_a_reset_does_not_hide_that_what_stands_is_missing(storage: Storage, claim: Claim):
    events = [reset(20, 10)]

    assert not await storage.log.append(claim, 20, serialized(events), void_after=10)
    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]


async def test_a_voided_range_is_deleted(storage: Storage, claim: Claim):
    events = [reset(6, 2)]

    assert await storage.log.append(claim, 6, serialized(events), void_after=2)
    assert seqs(await storage.cached(claim)) == [1, 2, 6]


async def test_a_reset_may_void_everything(storage: Storage, claim: Claim):
    events = [reset(6, 0)]

    assert await storage.log.append(claim, 6, serialized(events), void_after=0)
    assert seqs(await storage.cached(claim)) == [6]


async def test_an_append_never_creates_a_head(storage: Storage):
    claim = new_claim()

    assert not await append(storage, claim, 1, 1)
    assert await storage.redis.exists(*keys(claim)) == 0


async def test_an_append_does_not_recreate_a_head_that_is_gone(storage: Storage, claim: Claim):
    await storage.redis.delete(*keys(claim))

    assert not await append(storage, claim, 6, 6)
    assert await storage.redis.exists(*keys(claim)) == 0


async def test_a_claim_that_redis_does_not_know_yet_is_told_to_open_first(
    storage: Storage, claim: Claim
):
    # It began while Redis was away; the head is its predecessor's.
    newer = later(claim)

    assert not await append(storage, newer, 6, 6)
    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]


async def test_a_retried_append_is_acknowledged_and_not_doubled(storage: Storage, claim: Claim):
    assert await append(storage, claim, 1, 5)
    assert await append(storage, claim, 4, 7)

    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5, 6, 7]
    assert await storage.log.last(claim.turn) == 7


async def test_a_retried_append_does_not_lower_the_head(storage: Storage, claim: Claim):
    assert await append(storage, claim, 2, 3)

    assert await storage.log.last(claim.turn) == 5


async def test_what_is_below_the_trim_goes_and_the_rest_stays(storage: Storage, claim: Claim):
    assert await storage.log.append(claim, 6, serialized(texts(6, 6)), trim_below=4)

    assert seqs(await storage.cached(claim)) == [4, 5, 6]


async def test_each_append_extends_the_log_and_the_last_one_lets_it_go_soon(
    storage: Storage, claim: Claim
):
    for key in keys(claim):
        await storage.redis.pexpire(key, 60_000)

    await append(storage, claim, 6, 6)
    for key in keys(claim):
        assert RUNNING_MS - 60_000 < await storage.redis.pttl(key) <= RUNNING_MS

    await storage.log.append(claim, 7, serialized(texts(7, 7)), terminal=True)
    for key in keys(claim):
        assert FINISHED_MS - 60_000 < await storage.redis.pttl(key) <= FINISHED_MS


async def test_opening_extends_the_log(storage: Storage, claim: Claim):
    for key in keys(claim):
        await storage.redis.pexpire(key, 60_000)

    await storage.log.open(later(claim), committed=0, if_lost=0)

    for key in keys(claim):
        assert RUNNING_MS - 60_000 < await storage.redis.pttl(key) <= RUNNING_MS


async def test_logs_do_not_touch_each_other(storage: Storage, claim: Claim):
    other = new_claim()
    await storage.log.open(other, committed=0, if_lost=0)
    await append(storage, other, 1, 2)

    assert seqs(await storage.cached(claim)) == [1, 2, 3, 4, 5]
    assert seqs(await storage.cached(other)) == [1, 2]
