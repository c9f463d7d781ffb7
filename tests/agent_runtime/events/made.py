"""Events made by hand, and what the documentation says about reading them."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from turnpike.api.agent_runtime.v1.event_pb2 import (
    Event,
    LogReset,
    StepStarted,
    TextDelta,
    ToolStarted,
    TurnFinished,
)

JSON = dict[str, Any]

DOCUMENT = Path(__file__).parents[3] / "docs" / "events.md"


def text(seq: int, words: str = "") -> Event:
    """Returns a delta that says its own number, unless it says something else."""
    return Event(seq=seq, text_delta=TextDelta(text=words or f"{seq} "))


def step(seq: int, number: int = 1) -> Event:
    return Event(seq=seq, step_started=StepStarted(step=number))


def started(seq: int) -> Event:
    """Returns an event that is no delta, so that nothing merges with it."""
    return Event(seq=seq, tool_started=ToolStarted(call_id=f"call {seq}"))


def reset(seq: int, after_seq: int) -> Event:
    return Event(seq=seq, log_reset=LogReset(after_seq=after_seq))


def end(seq: int) -> Event:
    return Event(seq=seq, turn_finished=TurnFinished(status="TURN_STATUS_COMPLETED"))


def texts(first: int, last: int) -> list[Event]:
    return [text(seq) for seq in range(first, last + 1)]


def serialized(events: Iterable[Event]) -> list[bytes]:
    return [event.SerializeToString() for event in events]


def seqs(events: Iterable[Event]) -> list[int]:
    return [event.seq for event in events]


def order_faults(cursor: int, events: Iterable[Event]) -> list[str]:
    """The order rule of docs/events.md, as a check."""
    faults: list[str] = []
    for event in events:
        bridges = event.HasField("log_reset") and event.log_reset.after_seq <= cursor < event.seq
        if event.seq != cursor + 1 and not bridges:
            faults.append(f"{event.seq} after {cursor}")
        cursor = event.seq
    return faults


def documented_fold() -> Callable[[list[JSON]], str]:
    """Returns the fold that docs/events.md gives to its readers, as it stands there."""
    found = re.search(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    assert found
    scope: JSON = {}
    exec(found[1], scope)
    return scope["fold"]


def as_json(event: Event) -> JSON:
    """Returns what the fold needs of an event's JSON."""
    fields: JSON = {"seq": event.seq, "type": event.WhichOneof("body").replace("_", ".")}
    if event.HasField("log_reset"):
        fields["after_seq"] = event.log_reset.after_seq
    if event.HasField("text_delta"):
        fields["text"] = event.text_delta.text
    return fields
