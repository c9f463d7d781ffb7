"""Turns that pause and go on, fail, expire, are refused or cancelled: what they held is free."""

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from uuid import UUID

from tests.e2e.edge import Edge
from tests.e2e.suite import until_it
from tests.faults.deciding import ASKS, asked, begun, decide, said
from tests.faults.invariants import QUIET_SECONDS, forgotten_turns, unsettled, wrong_slots
from tests.faults.outcome import Outcome
from tests.faults.stage import Stage

AT_ONCE = 4
BATCH = 25
RUNNING = 2
"""How many turns run at each quiet point, so that not nothing is compared with nothing."""

_ARGUMENTS = 'arg={"tag":"cycle"}'
Way = Callable[[Stage, Edge], Awaitable[str]]


async def cycles(stage: Stage, count: int) -> Outcome:
    """Runs so many cycles, a batch at a time; compares slots with turns after each."""
    chance, outcome, ended = random.Random(count), Outcome(), Counter[str]()
    await _agents(stage)
    ways = list(WAYS)
    quiet = 0
    for first in range(0, count, BATCH):
        held = [await stage.edges[0].start("cycle-held") for _ in range(RUNNING)]
        left = [chance.choice(ways) for _ in range(min(BATCH, count - first))]
        await asyncio.gather(*(_client(stage, left, ended, n) for n in range(AT_ONCE)))
        # One more waits for somebody, and holds nothing.
        paused, _ = await begun(stage.edges[0], "cycle")
        faults = await _unquiet(stage)
        outcome.faults += faults
        quiet += not faults
        for turn in (*held, paused):
            await stage.edges[0].call("POST", f"/turns/{turn['id']}:cancel")
    outcome.faults += await unsettled(stage)
    outcome.faults += [f"{way} ended otherwise" for way in ended if "not " in way]
    outcome.figures = {"cycles": count, "quiet points": quiet, **ended}
    return outcome


async def _client(stage: Stage, left: list[str], ended: "Counter[str]", number: int) -> None:
    edge = stage.edges[number % len(stage.edges)]
    while left:
        name = left.pop()
        way, wanted = WAYS[name]
        status = await way(stage, edge)
        ended[name if status == wanted else f"{name} {status}, not {wanted}"] += 1


async def _unquiet(stage: Stage) -> list[str]:
    """Waits until as many slots are held as turns run; returns what else is so."""
    faults: list[str] = []

    async def settled() -> bool:
        running = await stage.query(
            "SELECT FROM agent_runtime.turns WHERE status = 'RUNNING' AND owner IS NOT NULL"
        )
        faults[:] = [*await forgotten_turns(stage), *await wrong_slots(stage)]
        if len(running) != RUNNING:
            faults.append(f"{len(running)} turns run, not {RUNNING}")
        return not faults

    try:
        await until_it(settled, QUIET_SECONDS)
    except TimeoutError:
        return faults
    return []


async def _agents(stage: Stage) -> None:
    edge, url = stage.edges[0], stage.model.url
    transfer = f"n=2+tool=effects__transfer+{_ARGUMENTS}"
    await edge.agent("cycle", transfer, url, **ASKS)
    await edge.agent("cycle-thrice", f"{transfer}+rounds=3", url, **ASKS)
    await edge.agent("cycle-fails", transfer, url, **ASKS, max_steps=1)
    await edge.agent("cycle-tool-fails", 'n=2+tool=effects__fail+arg={"message":"m"}', url, **ASKS)
    await edge.agent("cycle-held", "n=2+tool=effects__hang", url, tools=["effects/*"])


async def _decided(stage: Stage, edge: Edge, *, agent: str, kind: str, times: int = 1) -> str:
    """Decides each pause of a turn; returns how it ended."""
    turn, waits = await begun(edge, agent)
    for number in range(1, times + 1):
        call_id = waits["calls"][0]["call_id"]
        await decide(edge, waits["approval"], said(kind, call_id))
        if number < times:
            waits = await asked(edge, turn["id"], waits["seq"])
    return (await edge.read(turn["id"])).status


async def _cancelled(stage: Stage, edge: Edge) -> str:
    turn, _ = await begun(edge, "cycle")
    await edge.call("POST", f"/turns/{turn['id']}:cancel")
    return (await edge.read(turn["id"])).status


async def _expired(stage: Stage, edge: Edge) -> str:
    turn, _ = await begun(edge, "cycle")
    for statement in (
        "UPDATE agent_runtime.approvals SET expires = clock_timestamp() WHERE turn = $1",
        "UPDATE agent_runtime.turns SET due_at = clock_timestamp() WHERE id = $1",
    ):
        await stage.query(statement, UUID(turn["id"]))
    return (await edge.read(turn["id"])).status


WAYS: dict[str, tuple[Way, str]] = {
    "approved": (partial(_decided, agent="cycle", kind="approve"), "COMPLETED"),
    "approved thrice": (
        partial(_decided, agent="cycle-thrice", kind="approve", times=3),
        "COMPLETED",
    ),
    "rejected": (partial(_decided, agent="cycle", kind="reject"), "COMPLETED"),
    "tool failed": (partial(_decided, agent="cycle-tool-fails", kind="approve"), "COMPLETED"),
    "turn failed": (partial(_decided, agent="cycle-fails", kind="approve"), "FAILED"),
    "cancelled": (_cancelled, "CANCELLED"),
    "expired": (_expired, "EXPIRED"),
}
