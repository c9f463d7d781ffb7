"""What a rate promises: never more in any minute than the rate and a burst.

Row G10. The arithmetic is written twice, in lua/gcra.lua and gcra.py; both are held
against a model that knows no integers.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from importlib.resources import files
from typing import Any

import grpc
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some
from redis import Redis as BlockingRedis
from redis.asyncio import Redis

from tests.gatekeeper.money import Bank, spender, used
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AdmitResponse, RateClass
from turnpike.cli.stack.redis import LocalRedis
from turnpike.gatekeeper.gcra import Backlog

MINUTE = 60_000
# The script's connection is shared by all examples; each clears its key.
SLOW_AND_SHARED = (HealthCheck.too_slow, HealthCheck.function_scoped_fixture)

# Asks at times that the test gives, in place of Redis's own clock.
DRIVER = """
local now, cells = tonumber(ARGV[1]), tonumber(ARGV[2])
local per_minute, burst = tonumber(ARGV[3]), tonumber(ARGV[4])
local backlog = backlog_of(KEYS[1], per_minute, now)
local wait = wait_for(backlog, cells, per_minute, burst)
if wait == 0 then
  store_backlog(KEYS[1], backlog + cells * CELL, per_minute, now)
end
return whole(wait)
"""


@dataclass(frozen=True)
class Asked:
    """So many milliseconds later, somebody asks for so many cells."""

    later: int
    cells: int
    per_minute: int
    burst: int


@dataclass
class Model:
    """A bucket that leaks without end: cells, as fractions."""

    level: Fraction = Fraction(0)
    at: int = 0

    def ask(self, now: int, asked: Asked) -> Fraction:
        """Returns the milliseconds to wait; 0 takes the cells."""
        rate = Fraction(asked.per_minute, MINUTE)
        level = max(Fraction(0), self.level - (now - self.at) * rate)
        room = asked.burst - min(asked.cells, asked.burst)
        if level > room:
            return (level - room) / rate
        self.level, self.at = level + asked.cells, now
        return Fraction(0)


@pytest.fixture(scope="module")
async def script(valkey: LocalRedis) -> AsyncGenerator[Any]:
    """lua/gcra.lua, asked at given times."""
    lua = files("turnpike.gatekeeper") / "lua"
    text = "\n".join([*((lua / f"{name}.lua").read_text() for name in ("clock", "gcra")), DRIVER])
    client = BlockingRedis.from_url(valkey.url)
    registered = client.register_script(text)

    def run(key: str, now: int, asked: Asked) -> int:
        args = [now, asked.cells, asked.per_minute, asked.burst]
        return int(registered(keys=[key], args=args))

    run.forget = client.delete  # pyright: ignore[reportFunctionMemberAccess]
    yield run
    client.close()


limits = some.sampled_from([1, 2, 7, 60, 90, 1_000, 1_000_000, 999_999_999, 1_000_000_000])
asks = some.builds(
    Asked,
    later=some.one_of(some.integers(0, 3_000), some.integers(0, 10**9)),
    cells=some.one_of(some.integers(1, 5), some.integers(1, 20_000_000)),
    per_minute=limits,
    burst=limits,
)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(some.lists(asks, min_size=1, max_size=25))
def test_g10_script_and_share_reckon_as_the_model_does(script: Any, sequence: Sequence[Asked]):
    """The plan changes in the middle too: the backlog stays, the rate is the new one's."""
    model, share, now = Model(), Backlog(), 1_700_000_000_000
    script.forget("gcra")
    for asked in sequence:
        now += asked.later
        expected = model.ask(now, asked)
        exact = -(-expected.numerator // expected.denominator)

        assert script("gcra", now, asked) == exact
        assert share.wait(now, asked.cells, asked.per_minute, asked.burst) == exact
        if exact == 0:
            share.charge(now, asked.cells, asked.per_minute)


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(
    rate=some.integers(1, 120),
    burst=some.integers(1, 60),
    gaps=some.lists(some.integers(0, 4_000), min_size=10, max_size=150),
)
def test_g10_no_sliding_minute_exceeds_rate_and_burst(
    script: Any, rate: int, burst: int, gaps: Sequence[int]
):
    now, admitted = 1_700_000_000_000, list[int]()
    script.forget("minute")
    for gap in gaps:
        now += gap
        if script("minute", now, Asked(0, 1, rate, burst)) == 0:
            admitted.append(now)

    for first in admitted:
        assert sum(first <= each < first + MINUTE for each in admitted) <= rate + burst


@settings(max_examples=100, deadline=None, suppress_health_check=SLOW_AND_SHARED)
@given(rate=limits, burst=limits, cells=some.integers(1, 1_000))
def test_g10_the_wait_that_is_named_is_exact(script: Any, rate: int, burst: int, cells: int):
    now, asked = 1_700_000_000_000, Asked(0, min(cells, burst), rate, burst)
    script.forget("wait")
    taken = 0
    while (wait := script("wait", now, asked)) == 0 and taken < 30:
        taken += 1
    if wait:
        assert script("wait", now + wait - 1, asked) > 0
        assert script("wait", now + wait, asked) == 0


@pytest.mark.parametrize(
    ("rate_class", "limit"),
    [
        (RateClass.RATE_CLASS_UNSPECIFIED, "sync"),
        (RateClass.RATE_CLASS_SYNC, "sync"),
        (RateClass.RATE_CLASS_ASYNC, "async"),
        (RateClass.RATE_CLASS_API, "api"),
    ],
    ids=["unspecified", "sync", "async", "api"],
)
async def test_g10_each_class_has_its_own_rate(
    tenant: Tenant, bank: Bank, rate_class: "RateClass", limit: str
):
    await bank.limit(tenant, **{f"{limit}_per_minute": 1, f"{limit}_burst": 2})

    outcomes = await asyncio.gather(
        *(spender(tenant, rate_class=rate_class).admit() for _ in range(10)),
        return_exceptions=True,
    )
    refused = await refusal(spender(tenant, rate_class=rate_class).admit())

    assert sum(isinstance(each, AdmitResponse) for each in outcomes) == 2
    assert (refused.code, refused.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "RATE_LIMITED")
    assert dict(refused.metadata) == {
        "limit": limit,
        "per_minute": "1",
        "burst": "2",
        "scope": "tenant",
    }
    assert refused.retry_after
    assert 0 < refused.retry_after.total_seconds() <= 60
    others = {RateClass.RATE_CLASS_SYNC, RateClass.RATE_CLASS_ASYNC, RateClass.RATE_CLASS_API}
    others -= {rate_class or RateClass.RATE_CLASS_SYNC}
    for other in others:
        await spender(tenant, rate_class=other).admit()


async def test_a_new_rate_takes_effect_at_once(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, sync_per_minute=1, sync_burst=1)
    await spender(tenant).admit()
    slow = await refusal(spender(tenant).admit())

    await bank.change(tenant, sync_per_minute=3)
    fast = await refusal(spender(tenant).admit())
    await bank.change(tenant, sync_burst=2)
    await spender(tenant).admit()
    await bank.change(tenant, sync_per_minute=None)
    await spender(tenant).admit()

    assert slow.retry_after and fast.retry_after
    assert slow.retry_after.total_seconds() > 30
    assert fast.retry_after.total_seconds() <= 20


async def test_denied_calls_cost_nothing(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, sync_per_minute=1, sync_burst=1)
    await spender(tenant).admit()

    waits = [(await refusal(spender(tenant).admit())).retry_after for _ in range(20)]

    assert all(waits)
    assert waits == sorted(waits, key=lambda wait: wait or timedelta(0), reverse=True)


async def test_a_retried_admission_is_charged_once(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, sync_per_minute=1, sync_burst=2)
    turn = spender(tenant)

    for _ in range(5):
        await turn.admit()
    await spender(tenant).admit()

    assert (await refusal(spender(tenant).admit())).reason == "RATE_LIMITED"


async def test_later_segments_take_no_rate(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, sync_per_minute=1, sync_burst=1, tokens_per_minute=100)
    turn = spender(tenant, 10, 90)
    await turn.admit()
    await turn.release()

    for segment in (2, 3):
        await turn.resume(segment)
        await turn.release(segment)

    assert (await refusal(spender(tenant).admit())).reason == "RATE_LIMITED"


async def test_tokens_are_charged_as_estimated_and_given_back_as_used(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, tokens_per_minute=60, tokens_burst=1_000)
    turn = spender(tenant, 100, 800)
    await turn.admit()

    refused = await refusal(spender(tenant, 100, 100).admit())
    await turn.settle(used(1, 100, 10))
    await spender(tenant, 100, 100).admit()

    assert (refused.reason, refused.metadata["limit"]) == ("RATE_LIMITED", "tokens")


async def test_a_running_turn_is_charged_and_never_refused_for_tokens(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, tokens_per_minute=60, tokens_burst=100)
    turn = spender(tenant, 10, 90)
    await turn.admit()

    for step in (2, 3):
        await turn.extend(step)

    refused = await refusal(spender(tenant, 10, 40).admit())
    assert refused.retry_after
    assert refused.retry_after.total_seconds() > 200  # 250 tokens too many, at one a second


async def test_of_two_rates_the_longer_wait_is_named(tenant: Tenant, bank: Bank):
    await bank.limit(
        tenant, sync_per_minute=60, sync_burst=1, tokens_per_minute=60, tokens_burst=100
    )
    await spender(tenant, 10, 90).admit()

    assert (await refusal(spender(tenant, 10, 90).admit())).metadata["limit"] == "tokens"


async def test_a_personal_plan_has_a_rate_of_its_own(tenant: Tenant, bank: Bank, redis: Redis):
    await bank.plan("personal-rate", sync_per_minute=1, sync_burst=1)
    one, other = [(await tenant.create_key()).api_key.principal.id for _ in range(2)]
    for principal in (one, other):
        await bank.subscribe(tenant, "personal-rate", principal)

    for principal in (one, other):
        await spender(tenant, principal=principal, key="").admit()
        refused = await refusal(spender(tenant, principal=principal, key="").admit())
        assert refused.metadata["scope"] == "principal"
