"""How the calls of a crowd are held at one point of their way, for each service that is killed."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from contextlib import suppress

from tests.e2e.suite import until_it
from tests.faults.crowds import Crowd, locked
from tests.faults.stage import Stage

Strike = Callable[[], Awaitable[None]]
Hold = Callable[[Stage, Crowd, Strike], Awaitable[None]]

LEDGER = "tool_registry.calls"
RECORDS = "agent_runtime.calls"
THREADS = "agent_runtime.threads"

# What waits for a lock gives up after two seconds: the kill comes before.
HELD_SECONDS = 1.7
ARRIVAL_SECONDS = 4
BEGIN_SECONDS = 20
WORK_SECONDS = 2.0
LEAD_SECONDS = 0.4
_CALLS = """
SELECT count(c.turn) AS written,
  count(*) FILTER (WHERE c.status = 'SUCCEEDED') AS recorded,
  count(*) FILTER (WHERE a.outcome <> '') AS answered
FROM agent_runtime.turns t
LEFT JOIN agent_runtime.calls a ON a.turn = t.id
LEFT JOIN tool_registry.calls c ON c.turn = t.id
WHERE t.metadata->>'crowd' = $1
"""


async def anywhere(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """Wherever they happen to be."""
    crowd.start(seconds=0.2, spread=0.8)
    share = random.randrange(len(crowd.members))
    await _come(lambda: _count(stage, crowd, "written"), share, BEGIN_SECONDS)
    await asyncio.sleep(random.uniform(0, 0.3))
    await strike()


async def unasked(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """Let in, and not yet written down as asked."""
    async with locked(stage, RECORDS):
        crowd.start(seconds=0.1)
        await _come(lambda: _waiting(stage, "commit_asked"), len(crowd.members))
        await strike()


async def unwritten(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """Asked of the registry, and in no row of its ledger."""
    async with locked(stage, LEDGER):
        crowd.start(seconds=0.1)
        await _come(lambda: _waiting(stage, "begin_call"), len(crowd.members))
        await strike()


async def unreceived(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """Written down, on the way to a server that hears nothing."""
    stage.effects.process.send_signal(signal.SIGSTOP)
    try:
        crowd.start(seconds=0.1)
        await _come(lambda: _count(stage, crowd, "written"), len(crowd.members), ARRIVAL_SECONDS)
        await strike()
    finally:
        stage.effects.process.send_signal(signal.SIGCONT)


async def in_the_tool(_stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """Their effects have happened, and the server works on."""
    crowd.start(seconds=WORK_SECONDS)
    await _come(lambda: _happened(crowd), len(crowd.members), ARRIVAL_SECONDS)
    await strike()


async def unrecorded(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """The server has answered, and the ledger does not know."""
    await _nearly_answered(crowd)
    async with locked(stage, LEDGER):
        await _come(lambda: _waiting(stage, "finish_call"), len(crowd.members))
        await strike()


async def unheard(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """The ledger knows, and the turn does not."""
    await _nearly_answered(crowd)
    async with locked(stage, RECORDS):
        await _come(lambda: _count(stage, crowd, "recorded"), len(crowd.members))
        await strike()


async def unended(stage: Stage, crowd: Crowd, strike: Strike) -> None:
    """The turn knows, and has not ended."""
    await _nearly_answered(crowd)
    async with locked(stage, THREADS, "EXCLUSIVE"):
        await _come(lambda: _count(stage, crowd, "answered"), len(crowd.members))
        await strike()


async def _nearly_answered(crowd: Crowd) -> None:
    crowd.start(seconds=WORK_SECONDS)
    await _come(lambda: _happened(crowd), 1, BEGIN_SECONDS)
    await asyncio.sleep(WORK_SECONDS - LEAD_SECONDS)


async def _come(
    count: Callable[[], Awaitable[int]], wanted: int, within: float = HELD_SECONDS
) -> None:
    """Waits until so many have come, or as long as those who came can be held."""

    async def are_there() -> bool:
        return await count() >= wanted

    with suppress(TimeoutError):
        await until_it(are_there, within)


async def _waiting(stage: Stage, function: str) -> int:
    rows = await stage.query(
        "SELECT count(*) AS n FROM pg_stat_activity"
        " WHERE wait_event_type = 'Lock' AND query LIKE $1",
        f"%{function}%",
    )
    return rows[0]["n"]


async def _count(stage: Stage, crowd: Crowd, what: str) -> int:
    return (await stage.query(_CALLS, crowd.name))[0][what]


async def _happened(crowd: Crowd) -> int:
    return crowd.effects()


HOLDS: dict[str, dict[str, Hold]] = {
    "tool-registry": {
        "anywhere": anywhere,
        "unwritten": unwritten,
        "unreceived": unreceived,
        "in the tool": in_the_tool,
        "unrecorded": unrecorded,
        "unheard": unheard,
    },
    "agent-runtime": {
        "anywhere": anywhere,
        "unasked": unasked,
        "unwritten": unwritten,
        "unreceived": unreceived,
        "in the tool": in_the_tool,
        "unrecorded": unrecorded,
        "unheard": unheard,
        "unended": unended,
    },
}
