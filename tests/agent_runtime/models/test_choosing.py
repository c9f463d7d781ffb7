"""Which model a thread is given (row L3), and what rests while Redis is away (row L4)."""

from collections import Counter
from uuid import NAMESPACE_URL, uuid4, uuid5

import pytest
from redis.asyncio import Redis

from turnpike.agent_runtime.models.choosing import ordered, ranked
from turnpike.agent_runtime.models.configs import Candidate, Choice
from turnpike.agent_runtime.models.cooldowns import LONGEST_SECONDS, Cooldowns
from turnpike.agent_runtime.models.prompt import Model

THREADS = [str(uuid5(NAMESPACE_URL, str(number))) for number in range(10_000)]

CHI_SQUARE = {1: 6.635, 2: 9.210, 4: 13.277}
"""What a fair spread stays below in 99 of 100 cases, by degrees of freedom."""


@pytest.mark.parametrize(
    "weights",
    [dict.fromkeys("abcde", 1), {"a": 1, "b": 2, "c": 5}, {"a": 1, "b": 9}],
    ids=["even", "weighted", "lopsided"],
)
def test_l3_ten_thousand_threads_spread_by_weight(weights: dict[str, int]):
    found = Counter(ranked(weights, thread)[0] for thread in THREADS)

    expected = {n: len(THREADS) * w / sum(weights.values()) for n, w in weights.items()}
    distance = sum((found[name] - much) ** 2 / much for name, much in expected.items())
    assert distance < CHI_SQUARE[len(weights) - 1]


def test_l3_a_thread_is_given_the_same_after_every_restart():
    # The values are of no matter; that they stay is.
    weights = dict.fromkeys("abcde", 1)
    assert "".join(ranked(weights, thread)[0] for thread in THREADS[:12]) == GOLDEN


GOLDEN = "debebeacccbd"


def test_l3_when_a_model_goes_only_its_threads_move():
    weights = dict.fromkeys("abcde", 1)
    fewer = {name: weight for name, weight in weights.items() if name != "c"}
    for thread in THREADS:
        before, after = ranked(weights, thread)[0], ranked(fewer, thread)[0]
        assert before in ("c", after)


def candidate(id_: str, rank: int = 0, name: str = "m") -> Candidate:
    model = Model(
        tenant=uuid4(), name=name, provider="openai", model="", base_url="", api_key="", prices=None
    )
    return Candidate(model=model, credential=id_, rank=rank, quotas=(id_,))


def order(*candidates: Candidate, pinned: str = "", turn_of: int = 0) -> list[str]:
    choice = Choice(pool="", pinned="", candidates=candidates, pinned_keys={"m": pinned})
    return [each.id for each in ordered(choice, "a thread", turn_of=turn_of)]


def test_credentials_take_turns_within_their_rank_and_a_pinned_one_comes_first():
    keys = (candidate("one"), candidate("two"), candidate("last", rank=2))
    assert order(*keys) == ["one", "two", "last"]
    assert order(*keys, turn_of=1) == ["two", "one", "last"]
    assert order(*keys, pinned="two") == ["two", "one", "last"]
    # What is nearer comes first all the same.
    assert order(*keys, pinned="last") == ["one", "two", "last"]
    assert order(*keys, pinned="gone", turn_of=1) == ["two", "one", "last"]


async def test_l4_while_redis_is_away_a_replica_goes_by_what_it_noted_itself():
    async with Redis.from_url("redis://127.0.0.1:1/0") as nowhere:
        cooldowns = Cooldowns(nowhere)
        await cooldowns.cool(["a"], 7)
        await cooldowns.cool(["b"], 10**9)

        assert 0 < cooldowns.left(["a"]) <= 7.7
        # At most fifteen minutes, whatever was asked for.
        assert 7.7 < cooldowns.left(["b"]) <= LONGEST_SECONDS == 900
        assert cooldowns.left(["a", "b"]) == pytest.approx(cooldowns.left(["b"]), abs=5)
        assert not cooldowns.is_suspect(["c"])
        await cooldowns.clear(["a"])
        assert not cooldowns.is_suspect(["a"])
