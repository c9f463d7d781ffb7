"""What really happened at the tools, held against what a log says."""

import json

from tests.doubles.effects_journal import Entry
from tests.e2e.edge import JSON
from tests.e2e.folding import Fold
from tests.faults.phases import Subject
from tests.faults.stage import Stage

REPEATABLE = "retry_safe"
KEY = "turnpike/idempotency-key"


def faults_of_effects(stage: Stage, subject: Subject, log: Fold) -> list[str]:
    """No effect happened twice, and none that the log does not name.

    What is announced as idempotent may happen again, by the same call.
    """
    happened = effects_of(stage, subject)
    asked = {canonical(call["arguments"]): call for call in log.calls}
    return [
        *(fault for what, times in happened.items() for fault in faults_of_times(what, times)),
        *(f"{what} happened and was not asked for" for what in happened if what not in asked),
        *(fault for what, call in asked.items() for fault in faults_of_call(what, call, happened)),
    ]


def effects_of(stage: Stage, subject: Subject) -> dict[str, list[Entry]]:
    """Returns a turn's effects by their arguments."""
    happened: dict[str, list[Entry]] = {}
    for entry in stage.journal.entries("effect"):
        if entry.tag.removesuffix("-again") == subject.tag:
            happened.setdefault(canonical(entry.arguments), []).append(entry)
    return happened


def faults_of_times(what: str, times: list[Entry]) -> list[str]:
    """One call has one effect, unless it may be repeated; then it has one key."""
    faults: list[str] = []
    if len(times) > 1 and times[0].tool != REPEATABLE:
        faults.append(f"{what} happened {len(times)} times")
    if len({(entry.meta or {}).get(KEY) for entry in times}) > 1:
        faults.append(f"{what} happened under different keys")
    return faults


def faults_of_call(what: str, call: JSON, happened: dict[str, list[Entry]]) -> list[str]:
    """A call that is said to be done was done, and each was closed."""
    if call["outcome"] is None:
        return [f"call {call['call_id']} was never closed"]
    is_ours = call["name"].startswith("turnpike/")
    if call["outcome"] == "OK" and what not in happened and not is_ours:
        return [f"{what} is said to have happened"]
    return []


def canonical(arguments: object) -> str:
    """Returns arguments in one spelling."""
    return json.dumps(arguments, sort_keys=True)
