"""What is done to the registry while it runs a call."""

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime

from tests.e2e.suite import Process
from tests.faults.phases import Phase, Subject, in_the_tool, with_a_row
from tests.faults.stage import Stage
from tests.faults.trials import Result, trial

_LOOK_SECONDS = 0.2


async def registry_killed(stage: Stage, tag: str, *, tool: str) -> Result:
    """SIGKILLs the registry that runs a call."""
    victims: list[Process] = []

    async def act(subject: Subject) -> float:
        rows = await stage.query(
            "SELECT r.name FROM tool_registry.calls c JOIN tool_registry.replicas r"
            " ON r.id = c.executor WHERE c.turn = $1",
            subject.turn,
        )
        victims.append(stage.suite.named(rows[0]["name"]))
        os.kill(victims[0].pid, signal.SIGKILL)
        return time.time()

    arguments = f'{{"tag":"{tag}","seconds":1.5}}'
    script = f"n=20+tool=effects__{tool}+arg={arguments}"
    async with decided(stage, tag):
        result = await trial(stage, Phase(tool, script, in_the_tool), tag, act)
    for victim in victims:
        await stage.suite.restarted(victim)
    return judged(result, tool, tag)


async def registry_killed_anywhere(stage: Stage, tag: str, *, tool: str) -> Result:
    """SIGKILLs the registry that runs a call, at any moment from its row to its result."""
    victims: list[Process] = []
    killed: list[tuple[str, datetime]] = []

    async def act(subject: Subject) -> float:
        # The tool takes 0.3 s: before it is sent, in it, and while its result is written.
        await asyncio.sleep(random.uniform(0, 0.45))
        rows = await stage.query(
            "SELECT r.name, clock_timestamp() AS now FROM tool_registry.calls c"
            " JOIN tool_registry.replicas r ON r.id = c.executor WHERE c.turn = $1",
            subject.turn,
        )
        victims.append(stage.suite.named(rows[0]["name"]))
        killed.append((subject.turn, rows[0]["now"]))
        os.kill(victims[0].pid, signal.SIGKILL)
        return time.time()

    arguments = f'{{"tag":"{tag}","seconds":0.3}}'
    script = f"n=20+tool=effects__{tool}+arg={arguments}"
    async with decided(stage, tag):
        result = await trial(stage, Phase(tool, script, with_a_row), tag, act)
    for turn, moment in killed:
        result.faults += await _unasked(stage, turn, moment)
    for victim in victims:
        await stage.suite.restarted(victim)
    return result


@asynccontextmanager
async def decided(stage: Stage, tag: str) -> AsyncGenerator[None]:
    """Says of each call whose outcome nobody knows that it was done, while inside."""
    deciding = asyncio.ensure_future(_decide(stage, tag))
    try:
        yield
    finally:
        deciding.cancel()
        await asyncio.wait({deciding})


async def _decide(stage: Stage, tag: str) -> None:
    while True:
        for approval in (await stage.edges[0].call("GET", "/approvals?status=PENDING"))[
            "approvals"
        ]:
            said = [
                {"call_id": call["call_id"], "kind": "done", "text": "it was done"}
                for call in approval["calls"]
                if call["arguments"]["tag"] == tag
            ]
            if said:
                path = f"/approvals/{approval['id']}:decide"
                await stage.edges[0].call("POST", path, {"decisions": said})
        await asyncio.sleep(_LOOK_SECONDS)


async def _unasked(stage: Stage, turn: str, moment: datetime) -> list[str]:
    """Returns the calls of a turn that nobody said the unknown of within ten seconds."""
    late = await stage.query(
        "SELECT effect FROM tool_registry.calls WHERE turn = $1 AND status = 'UNKNOWN'"
        " AND finished > $2::timestamptz + interval '10 seconds'",
        turn,
        moment,
    )
    return [f"the unknown outcome of {row['effect']} was said late" for row in late]


def judged(result: Result, tool: str, tag: str) -> Result:
    """Says what must come of a call whose registry died: asked about, or made again."""
    if result.statuses and result.statuses != ["COMPLETED"]:
        result.faults.append(f"{tool} {tag} ended {result.statuses}")
    return result
