"""Approvals that nobody decides: how soon readers on every replica see the end."""

import asyncio
import statistics
import time
from contextlib import AsyncExitStack
from datetime import UTC

from tests.channels import channel_to
from tests.faults.deciding import ASKS, begun
from tests.faults.outcome import Outcome
from tests.faults.stage import Stage
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import WatchTurnRequest
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub

AT_ONCE = 4
WINDOW_SECONDS = 2.0
PATIENCE_SECONDS = 60.0
PROMISED_SECONDS = 2.0


async def expired(stage: Stage, turns: int) -> Outcome:
    """Lets so many approvals expire, a reader of each on every replica."""
    script = 'n=2+tool=effects__transfer+arg={"tag":"expired"}'
    rules = {"expires_after": WINDOW_SECONDS}
    agent = await stage.edges[0].agent("expired", script, stage.model.url, **ASKS, approvals=rules)
    outcome, lags = Outcome(), list[float]()
    async with AsyncExitStack() as stack:
        places = [
            TurnServiceStub(await stack.enter_async_context(channel_to(each.address)))
            for each in stage.suite.of("agent-runtime")
        ]
        left = list(range(turns))

        async def client() -> None:
            while left:
                left.pop()
                faults, seen = await _one(stage, places, agent)
                outcome.faults += faults
                lags.extend(seen)

        await asyncio.gather(*(client() for _ in range(min(AT_ONCE, turns))))
    lags.sort()
    late = sum(each > PROMISED_SECONDS for each in lags)
    outcome.figures = {
        "approvals": turns,
        "replicas": len(places),
        "p50": f"{statistics.median(lags):.2f} s",
        "p99": f"{lags[int(0.99 * (len(lags) - 1))]:.2f} s",
        "latest": f"{lags[-1]:.2f} s",
        "later than 2 s": late,
    }
    if stage.journal.effects("expired"):
        outcome.faults.append("a call ran that nobody approved")
    return outcome


async def _one(
    stage: Stage, places: list[TurnServiceStub], agent: str
) -> tuple[list[str], list[float]]:
    """Returns what was wrong with one expiry, and how long after it each reader saw the end."""
    turn, asked = await begun(stage.edges[0], agent)
    readers = (_end(place, stage.suite.key, turn["id"]) for place in places)
    async with asyncio.timeout(PATIENCE_SECONDS):
        read = await asyncio.gather(*readers)
    (row,) = await stage.query(
        "SELECT expires FROM agent_runtime.approvals WHERE id = $1", asked["approval"]
    )
    expires = row["expires"].astimezone(UTC).timestamp()
    logs = {tuple(each.SerializeToString() for each in events) for events, _ in read}
    faults: list[str] = []
    if len(logs) != 1:
        faults.append(f"{turn['id']}: readers were given {len(logs)} different logs")
    for events, _ in read:
        ends = [each for each in events if each.HasField("turn_finished")]
        if [each.turn_finished.status for each in ends] != [TurnStatus.TURN_STATUS_EXPIRED]:
            faults.append(f"{turn['id']}: a reader saw {len(ends)} ends")
    return faults, [at - expires for _, at in read]


async def _end(place: TurnServiceStub, key: str, turn: str) -> tuple[list[Event], float]:
    """Reads a turn's log to its end; returns it with when that came."""
    metadata = (("authorization", f"Bearer {key}"),)
    events: list[Event] = []
    at = 0.0
    async for response in place.WatchTurn(WatchTurnRequest(turn=turn), metadata=metadata):
        events += response.events
        at = time.time()
        if events and events[-1].HasField("turn_finished"):
            break
    return events, at
