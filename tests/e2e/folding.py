"""The reference fold: what a reader of a turn's log makes of it.

Keep events by number; on `log.reset` forget those above its `after_seq` and below it.
What is left is the log. The text deltas of each step are that step's text, and the last
step's text is the turn's answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

TERMINAL = "turn.finished"


@dataclass(frozen=True)
class Event:
    """One event as it stood in the stream; `fields` is its whole data."""

    seq: int
    type: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


class OutOfOrderError(AssertionError):
    """A reader was given an event that may not follow the one before."""


class Fold:
    """A log as one reader knows it, checked for order as it grows."""

    def __init__(self, events: Iterable[Event] = (), *, after: int = 0) -> None:
        self.events: dict[int, Event] = {}
        self.last = after
        for event in events:
            self.take(event)

    def take(self, event: Event) -> None:
        """Adds the next event.

        Raises:
            OutOfOrderError: It is not the last one's number plus 1, nor a reset whose
                `after_seq` is not above the last one's number.
        """
        if event.type == "log.reset":
            after = event.fields["after_seq"]
            if not after <= self.last < event.seq:
                raise OutOfOrderError(f"reset {event.seq} to {after} after {self.last}")
            void = [seq for seq in self.events if after < seq < event.seq]
            for seq in void:
                del self.events[seq]
        elif event.seq != self.last + 1:
            raise OutOfOrderError(f"{event.type} {event.seq} after {self.last}")
        self.events[event.seq] = event
        self.last = event.seq

    @property
    def log(self) -> list[Event]:
        """The events that stand, in order."""
        return [self.events[seq] for seq in sorted(self.events)]

    @property
    def finished(self) -> bool:
        """Whether the terminal event has been seen."""
        return any(event.type == TERMINAL for event in self.log)

    @property
    def status(self) -> str:
        """The terminal status, or nothing before it."""
        return next((e.fields["status"] for e in self.log if e.type == TERMINAL), "")

    @property
    def steps(self) -> list[str]:
        """The text of each step."""
        texts: dict[int, str] = {}
        step = 0
        for event in self.log:
            if event.type == "step.started":
                # A step is started again when its model call had to be made again.
                step = event.fields["step"]
                texts.setdefault(step, "")
            elif event.type == "text.delta":
                texts[step] = texts.get(step, "") + event.fields["text"]
        return [texts[number] for number in sorted(texts)]

    @property
    def answer(self) -> str:
        """The text of the last step."""
        return self.steps[-1] if self.steps else ""

    def of(self, kind: str) -> list[dict[str, Any]]:
        """Returns the data of every standing event of a type."""
        return [event.fields for event in self.log if event.type == kind]

    @property
    def calls(self) -> list[dict[str, Any]]:
        """Each tool call with its arguments and, once it ended, how."""
        ends = {end["call_id"]: end for end in self.of("tool.finished")}
        return [
            {
                "call_id": asked["call_id"],
                "name": asked["name"],
                "arguments": asked["arguments"],
                "outcome": ends.get(asked["call_id"], {}).get("outcome"),
                "result": ends.get(asked["call_id"], {}).get("result"),
            }
            for asked in self.of("tool.requested")
        ]
