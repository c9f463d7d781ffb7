"""A conversation of many megabytes whose next turn pauses, and goes on."""

import asyncio
import time
from http import HTTPStatus
from typing import Any

from tests.e2e.edge import JSON, Edge, RefusedError
from tests.e2e.suite import until_it
from tests.faults.deciding import ASKS, asked, decide, effects_by_turn, said
from tests.faults.outcome import Outcome
from tests.faults.stage import Stage

# As much as a request may have, about.
_PARTS = 3
_TEXT: list[dict[str, Any]] = [{"type": "text", "text": "x" * 1_000_000}] * _PARTS
_KEPT = """
SELECT coalesce(sum(octet_length(s::text)), 0) AS bytes FROM (
  SELECT to_jsonb(a) AS s FROM agent_runtime.approvals a WHERE a.turn = $1
  UNION ALL SELECT to_jsonb(t) FROM agent_runtime.steps t WHERE t.turn = $1
  UNION ALL SELECT to_jsonb(c) FROM agent_runtime.calls c WHERE c.turn = $1) kept
"""
_SMALL = 100_000


async def large(stage: Stage, megabytes: int) -> Outcome:
    """Fills a thread with so much, pauses its next turn, and decides it at another gateway."""
    edge, other = stage.edges[0], stage.edges[1]
    talking = await edge.agent("large-talk", "n=2", stage.model.url)
    script = 'n=2+tool=effects__transfer+arg={"tag":"large"}'
    asking = await edge.agent("large", script, stage.model.url, **ASKS)
    outcome = Outcome()
    thread = (await edge.call("POST", "/threads", {}))["id"]
    turns, away = -(-megabytes // _PARTS), 0
    for _ in range(turns):
        turn, refused = await _begun(edge, thread, {"agent": talking, "input": _TEXT})
        away += refused
        outcome.faults += _unless_completed(turn["id"], (await edge.read(turn["id"])).status)
    began = time.monotonic()
    turn, refused = await _begun(edge, thread, {"agent": asking, "input": "and now?"})
    waits = await asked(edge, turn["id"])
    paused = time.monotonic() - began
    (kept,) = await stage.query(_KEPT, turn["id"])
    if kept["bytes"] > _SMALL:
        outcome.faults.append(f"{kept['bytes']} bytes are kept for a pause")
    began = time.monotonic()
    await decide(other, waits["approval"], said("approve"))
    outcome.faults += _unless_completed(turn["id"], (await other.read(turn["id"])).status)
    if effects_by_turn(stage)[turn["id"]] != 1:
        outcome.faults.append("what was approved did not run once")
    outcome.figures = {
        "megabytes": turns * _PARTS,
        "paused after": f"{paused:.1f} s",
        "kept for the pause": f"{kept['bytes']} bytes",
        "asked again after 503": away + refused,
        "answered after": f"{time.monotonic() - began:.1f} s",
    }
    await edge.call("DELETE", f"/threads/{thread}")
    rest = "SELECT count(*) AS n FROM agent_runtime.approvals WHERE turn = $1"

    async def is_gone() -> bool:
        return not (await stage.query(rest, turn["id"]))[0]["n"]

    await until_it(is_gone)
    return outcome


async def _begun(edge: Edge, thread: str, body: JSON) -> tuple[JSON, int]:
    """Starts a turn, as often as it takes; returns it, and how often it was refused with 503."""
    refused = 0
    while True:
        try:
            return await edge.call("POST", f"/threads/{thread}/turns", body), refused
        except RefusedError as error:
            if error.status != HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            refused += 1
            await asyncio.sleep(1)


def _unless_completed(turn: str, status: str) -> list[str]:
    return [] if status == "COMPLETED" else [f"{turn} is {status}"]
