"""What must hold after each trial, whatever was done."""

import time
from itertools import pairwise
from typing import Any

from tests.e2e.edge import JSON
from tests.e2e.folding import Event, Fold
from tests.e2e.suite import until_it
from tests.faults.effects import faults_of_effects
from tests.faults.phases import Subject
from tests.faults.reading import Reading
from tests.faults.stage import Stage

# Longer than what a dead process claimed to settle stays its own (`turns/rows.py`: `HOLD`).
QUIET_SECONDS = 30
BILLED = """
SELECT step::int, input_tokens::int, output_tokens::int, cost_micro_usd::int
FROM gatekeeper.ledger WHERE turn = $1 ORDER BY 1, 2, 3, 4
"""
ENDED = ("COMPLETED", "FAILED", "CANCELLED", "EXPIRED", "REFUSED")


async def broken_by(stage: Stage, subject: Subject, readings: list[Reading]) -> list[str]:
    """Returns what does not hold of a finished turn, in words; empty when all does."""
    edge = stage.edges[0]
    log = await edge.read(subject.turn)
    turn = await edge.turn(subject.turn)
    return [
        *faults_of_reading(readings, log),
        *faults_of_log(log),
        *await faults_of_storage(stage, subject, log, turn),
        *faults_of_effects(stage, subject, log),
        *await faults_of_ledger(stage, subject, log),
        *await faults_of_fences(stage, subject, turn),
        *await faults_of_bill(stage, subject, log, turn),
    ]


def faults_of_reading(readings: list[Reading], log: Fold) -> list[str]:
    """Every reader saw each event once, in order, and folds to the log."""
    faults = [fault for reading in readings for fault in reading.order_faults]
    for reading in readings:
        if shown(reading.fold.log) != shown(log.log):
            faults.append(f"a reader folded {describe(reading.fold)}, the log {describe(log)}")
    return faults


def faults_of_log(log: Fold) -> list[str]:
    """A log has one terminal event, and it is the last."""
    ends = log.of("turn.finished")
    if len(ends) != 1 or log.log[-1].type != "turn.finished":
        return [f"{len(ends)} terminal events"]
    return []


async def faults_of_storage(stage: Stage, subject: Subject, log: Fold, turn: JSON) -> list[str]:
    """What is stored is what the log folds to, with and without its copy in Redis."""
    faults: list[str] = []
    if (turn["status"], turn["text"]) != (log.status, log.answer):
        stored = f"{turn['status']}, {len(turn['text'])} characters"
        faults.append(f"stored {stored}, folded {describe(log)}")
    # A turn of one call says nothing to anybody.
    if log.status == "COMPLETED" and turn["agent"]:
        message = (await stage.edges[0].messages(subject.thread))[-1]
        texts = [part["text"] for part in message["parts"] if part["type"] == "text"]
        if "".join(texts) != log.answer or message["unfinished"]:
            faults.append(f"the message has {len(texts)} texts, folded {describe(log)}")
    keys = [key async for key in stage.redis.scan_iter(f"*{subject.turn}*")]
    if keys:
        await stage.redis.delete(*keys)
    stored = await stage.edges[0].read(subject.turn)
    if shown(stored.log) != shown(log.log):
        faults.append(f"Postgres replays {describe(stored)}, Redis {describe(log)}")
    return faults


async def faults_of_ledger(stage: Stage, subject: Subject, log: Fold) -> list[str]:
    """What the registry ran is what the runtime recorded."""
    recorded = await stage.query(
        "SELECT step, ordinal, name, arguments FROM agent_runtime.calls WHERE turn = $1",
        subject.turn,
    )
    ran = await stage.query(
        "SELECT step, ordinal, tool AS name, arguments FROM tool_registry.calls WHERE turn = $1",
        subject.turn,
    )
    known = {tuple(row.values()) for row in recorded}
    return [f"ran {row['arguments']} unrecorded" for row in ran if tuple(row.values()) not in known]


async def faults_of_fences(stage: Stage, subject: Subject, turn: JSON) -> list[str]:
    """Rows rise with their fences, none above the turn's own, and numbers never overlap."""
    rows = await stage.query(
        "SELECT first_seq, last_seq, fence FROM agent_runtime.batches WHERE turn = $1"
        " ORDER BY first_seq",
        subject.turn,
    )
    faults: list[str] = []
    for earlier, later in pairwise(rows):
        if later["fence"] < earlier["fence"]:
            faults.append(f"fence {later['fence']} wrote after {earlier['fence']}")
        if later["first_seq"] <= earlier["last_seq"]:
            faults.append(f"batches overlap at {later['first_seq']}")
    if rows and rows[-1]["fence"] > turn["fence"]:
        faults.append("a batch has a fence that the turn never had")
    return faults


async def faults_of_bill(stage: Stage, subject: Subject, log: Fold, turn: JSON) -> list[str]:
    """What the ledger was told, the log tells, and the turn sums up, to the last token."""
    faults: list[str] = []

    async def agrees() -> bool:
        billed = [tuple(row.values()) for row in await stage.query(BILLED, subject.turn)]
        told = [
            (each["step"], each["input_tokens"], each["output_tokens"], each["cost_micro_usd"])
            for each in log.of("usage")
        ]
        usage = turn["usage"]
        summed = (usage["input_tokens"], usage["output_tokens"], usage["cost_micro_usd"])
        faults[:] = []
        if sorted(told) != billed:
            faults.append(f"billed {billed}, told {told}")
        if summed != tuple(sum(each[place] for each in told) for place in (1, 2, 3)):
            faults.append(f"summed up {summed}, told {told}")
        return not faults

    try:
        await until_it(agrees, QUIET_SECONDS)
    except TimeoutError:
        return faults
    return []


async def unsettled(stage: Stage) -> list[str]:
    """Waits for quiet, and returns what then still does not hold of the whole suite."""
    faults: list[str] = []

    async def settled() -> bool:
        faults[:] = [
            *await forgotten_turns(stage),
            *await wrong_slots(stage),
            *await what_is_held(stage),
        ]
        return not faults

    try:
        await until_it(settled, QUIET_SECONDS)
    except TimeoutError:
        return faults
    return []


async def forgotten_turns(stage: Stage) -> list[str]:
    """A turn that has not ended has an owner that lives, or is due."""
    rows = await stage.query(
        "SELECT t.id, t.status FROM agent_runtime.turns t"
        " LEFT JOIN agent_runtime.replicas r ON r.id = t.owner AND NOT r.dead"
        " WHERE t.status <> ALL($1) AND t.due_at IS NULL AND r.id IS NULL",
        list(ENDED),
    )
    return [f"nobody owns the {row['status']} turn {row['id']}" for row in rows]


async def wrong_slots(stage: Stage) -> list[str]:
    """As many slots are held as turns run."""
    rows = await stage.query(
        "SELECT id::text FROM agent_runtime.turns WHERE status = 'RUNNING' AND owner IS NOT NULL"
    )
    held: set[str] = set()
    async for key in stage.redis.scan_iter("*slots*"):
        held |= {member.decode() for member in await members(stage, key)}
    running = {row["id"] for row in rows}
    return [] if held == running else [f"{len(held)} slots, {len(running)} running turns"]


async def what_is_held(stage: Stage) -> list[str]:
    """Nothing is owed, and nothing is held, but by what runs."""
    owed = await stage.query("SELECT turn FROM agent_runtime.usage_outbox")
    open_turns = await stage.query(
        "SELECT id FROM agent_runtime.turns WHERE status <> ALL($1)", list(ENDED)
    )
    if open_turns:
        return []
    held = 0
    async for key in stage.redis.scan_iter("gatekeeper:*:account"):
        fields: Any = await stage.redis.hgetall(key)
        held += sum(int(each) for name, each in fields.items() if name.startswith(b"held:"))
    faults = [f"{len(owed)} rows are still owed"] if owed else []
    return [*faults, f"{held} micro-dollars are held by nobody"] if held else faults


async def members(stage: Stage, key: bytes) -> list[bytes]:
    """Returns the slots in a sorted set that have not lapsed."""
    now = int(time.time() * 1000)
    held = await stage.redis.zrangebyscore(key, now, "+inf")
    return [member for member in held if isinstance(member, bytes)]


def shown(events: list[Event]) -> list[dict[str, Any]]:
    """Returns events as readers are given them."""
    return [event.fields for event in events]


def describe(fold: Fold) -> str:
    """Returns a log in a few words."""
    text = fold.answer if len(fold.answer) <= 80 else f"{fold.answer[:40]} … {fold.answer[-40:]}"
    return f"{fold.status or 'no end'} at {fold.last}, {len(fold.log)} events, {text!r}"
