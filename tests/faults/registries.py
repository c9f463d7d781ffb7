"""What is done to the registry while it runs a call."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from tests.e2e.suite import Process
from tests.faults.phases import Phase, Subject, in_the_tool
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


def judged(result: Result, tool: str, tag: str) -> Result:
    """Says what must come of a call whose registry died: asked about, or made again."""
    if result.statuses and result.statuses != ["COMPLETED"]:
        result.faults.append(f"{tool} {tag} ended {result.statuses}")
    return result
