"""What dies between a decision and its call: what was approved runs once all the same."""

import asyncio
import os
import random
import signal
import time
from collections.abc import Awaitable, Callable

from tests.e2e.suite import Process
from tests.faults.deciding import FIRST, asked
from tests.faults.invariants import unsettled
from tests.faults.phases import Subject
from tests.faults.reading import insist
from tests.faults.stage import Stage
from tests.faults.trials import Result, begin, jitter

Strike = Callable[[Stage, Subject, str], Awaitable[list[Process]]]


async def killed_after_decision(stage: Stage, tag: str, *, service: str) -> Result:
    """Has a call approved and SIGKILLs who took the decision or is to run it, before it runs."""
    running = await begin(stage, _script(tag), tag, policy={"ask": ["*/*"]})
    subject = running.subject
    waits = await asked(stage.edges[0], subject.turn)
    # Nobody executes while the registries stand still: whoever dies now has not run it.
    registries = stage.suite.of("tool-registry")
    for each in registries:
        os.kill(each.pid, signal.SIGSTOP)
    try:
        deciding = asyncio.create_task(_decide(stage, waits["approval"], tag))
        victims = await STRIKES[service](stage, subject, waits["approval"])
        await deciding
    finally:
        for each in registries:
            if service != "tool-registry":
                os.kill(each.pid, signal.SIGCONT)
    result = await running.end()
    for victim in victims:
        await stage.suite.restarted(victim)
    if stage.journal.effects(tag) != 1:
        result.faults.append(f"{tag} happened {stage.journal.effects(tag)} times")
    result.faults += await unsettled(stage)
    return result


async def _decide(stage: Stage, approval: str, tag: str) -> None:
    """Approves, through whatever gateway answers, with a key that makes that safe."""
    body = {"decisions": [{"call_id": FIRST, "kind": "approve"}]}
    edges = random.sample(stage.edges, len(stage.edges))
    await insist(edges, "POST", f"/approvals/{approval}:decide", body, f"decide-{tag}")


async def _owner(stage: Stage, subject: Subject, approval: str) -> list[Process]:
    """Kills who goes on with the turn, once it is decided and somebody does."""
    async with asyncio.timeout(20):
        while (owner := await stage.owner(subject.turn)) is None:
            await asyncio.sleep(0.01)
    await asyncio.sleep(jitter())
    os.kill(owner.pid, signal.SIGKILL)
    return [owner]


async def _gateways(stage: Stage, subject: Subject, approval: str) -> list[Process]:
    """Kills the gateways while the decision may be on its way through one."""
    await asyncio.sleep(random.uniform(0, 0.03))
    victims = stage.suite.of("gateway")
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    return victims


async def _registries(stage: Stage, subject: Subject, approval: str) -> list[Process]:
    """Kills the registries that are to run it, which stand still."""
    await _is_decided(stage, approval)
    await asyncio.sleep(jitter())
    victims = stage.suite.of("tool-registry")
    for victim in victims:
        os.kill(victim.pid, signal.SIGKILL)
    return victims


async def _is_decided(stage: Stage, approval: str) -> None:
    query = "SELECT FROM agent_runtime.approvals WHERE id = $1 AND status = 'DECIDED'"
    give_up_at = time.monotonic() + 20
    while not await stage.query(query, approval):
        if time.monotonic() > give_up_at:
            raise TimeoutError
        await asyncio.sleep(0.01)


STRIKES: dict[str, Strike] = {
    "agent-runtime": _owner,
    "gateway": _gateways,
    "tool-registry": _registries,
}


def _script(tag: str) -> str:
    return f'n=20+tool=effects__transfer+arg={{"tag":"{tag}","seconds":0.2}}+trial={tag}'
