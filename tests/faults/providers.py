"""Providers that refuse, break off and go away, under a whole suite.

    python -m tests.faults --only provider --trials 25

is the full size: 500 cuts at random tokens. `provider away: a minute` takes its minute.
"""

import asyncio
import random
from functools import partial
from itertools import pairwise
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.doubles.processes import Double, running
from tests.e2e.suite import until_it
from tests.faults.invariants import unsettled
from tests.faults.phases import Subject, transfer
from tests.faults.reading import Reading, follow
from tests.faults.stage import Stage
from tests.faults.trials import Result, Running, begin

TURNS = 8
CUTS = 20
WORDS = 60
REFUSALS = 20
RETRY_SECONDS = 0.5
KNOWN_SECONDS = 2.0
"""By then each replica knows that a provider asked to be left alone."""


async def refused(stage: Stage, tag: str) -> Result:
    """Refuses twenty calls of several turns by one credential, and says when to come again."""
    script = f"n=20+429={REFUSALS}+retry={RETRY_SECONDS}+trial={tag}"
    turns = await begin_many(stage, script, tag, stage.model.url)
    result = await ended(turns)
    times = await asks(stage.model, script)
    if len(times) != REFUSALS + TURNS:
        result.faults.append(f"{tag}: {len(times)} calls, not {REFUSALS + TURNS}")
    for earlier, later in pairwise(times[:REFUSALS]):
        # Before, each asks for itself; from then on one asks for all.
        if earlier > times[0] + KNOWN_SECONDS and later - earlier < RETRY_SECONDS * 0.8:
            result.faults.append(f"{tag}: two asked within {later - earlier:.2f} s")
    result.faults += await unsettled(stage)
    return result


async def broken_off(stage: Stage, tag: str, *, fault: str) -> Result:
    """Breaks the answer off at a random token, after a tool with a side effect has run."""
    turns = [
        await begin(
            stage,
            f"n={WORDS}+{transfer(f'{tag}-{number}', 0.01)}"
            f"+{fault}={random.randrange(WORDS)}+once=1+trial={tag}-{number}",
            f"{tag}-{number}",
            reader_count=1,
        )
        for number in range(CUTS)
    ]
    result = await ended(turns)
    result.faults += await unsettled(stage)
    return result


async def away(stage: Stage, tag: str, *, seconds: float) -> Result:
    """Kills a provider amid the answers of several turns, and brings it back later."""
    script = f"n=400+us=10000+trial={tag}"
    with running("model_server") as provider:
        turns = await begin_many(stage, script, tag, provider.url)
        for turn in turns:
            await until_it(partial(has_said, turn))
        port = urlsplit(provider.url).port
    faults = await without_slots(stage, turns)
    await asyncio.sleep(seconds)
    faults += await without_slots(stage, turns)
    with running("model_server", "--port", str(port)):
        result = await ended(turns)
    result.faults += [*faults, *await unsettled(stage)]
    return result


async def begin_many(stage: Stage, script: str, tag: str, url: str) -> list[Running]:
    """Starts turns on one model, by one credential."""
    edge = stage.edges[0]
    name = await edge.agent(tag, script, url)
    started = await asyncio.gather(*(edge.start(name) for _ in range(TURNS)))
    turns: list[Running] = []
    for turn in started:
        reading = Reading()
        task = asyncio.create_task(follow(stage.edges, turn["id"], reading, 0))
        subject = Subject(turn["id"], turn["thread"], script, tag, reading)
        turns.append(Running(stage, subject, [reading], [task]))
    return turns


async def has_said(turn: Running) -> bool:
    """Says whether a turn's answer has begun."""
    return bool(turn.subject.reading.fold.answer)


async def without_slots(stage: Stage, turns: list[Running]) -> list[str]:
    """Returns when all turns wait for their provider; says what they hold all the same."""
    ids = [turn.subject.turn for turn in turns]

    async def wait() -> bool:
        # One of them looks every now and then whether the provider is back.
        rows = await stage.query(
            "SELECT count(*) FILTER (WHERE status = 'WAITING' AND waiting_for = 'provider') AS n"
            " FROM agent_runtime.turns WHERE id = ANY($1::uuid[])",
            ids,
        )
        return rows[0]["n"] >= len(ids) - 1

    await until_it(wait, within=60)
    rows = await stage.query(
        "SELECT id::text FROM agent_runtime.turns WHERE id = ANY($1::uuid[])"
        " AND status = 'WAITING' AND owner IS NOT NULL",
        ids,
    )
    return [f"turn {row['id']} waits and is owned" for row in rows]


async def ended(turns: list[Running]) -> Result:
    """Waits for all, and says what does not hold: each is to have its whole answer."""
    whole = Result()
    for result in await asyncio.gather(*(turn.end() for turn in turns)):
        whole.faults += result.faults
        whole.statuses += result.statuses
    if set(whole.statuses) != {"COMPLETED"}:
        whole.faults.append(f"the turns ended {whole.statuses}")
    return whole


async def asks(provider: Double, model: str) -> list[float]:
    """Returns when a provider was asked under a model's name."""
    async with httpx.AsyncClient() as client:
        log: list[Any] = (await client.get(f"{provider.origin}/log")).json()["log"]
    return sorted(entry["time"] for entry in log if entry["model"] == model)
