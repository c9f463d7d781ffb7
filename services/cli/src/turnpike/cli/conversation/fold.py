"""Folds a turn's log into what it says at the moment."""

from dataclasses import dataclass
from typing import Any

from turnpike.cli.conversation.frames import Event


class GapError(Exception):
    """An event that cannot follow the last one; read again from there."""


@dataclass
class Call:
    """A tool call, as far as the log tells."""

    call_id: str
    name: str
    arguments: Any
    outcome: str = ""


class Fold:
    """The events of one turn that count.

    Each event is the next one, or a reset that reaches back: `log.reset` voids what lies between
    its `after_seq` and itself, whether it was seen or not.
    """

    def __init__(self, after: int = 0) -> None:
        self.seq = after
        self._events: dict[int, Event] = {}

    def add(self, event: Event) -> None:
        """Takes one event in; raises GapError when something before it is missing."""
        if event.type == "log.reset":
            after = int(event.fields["after_seq"])
            if after > self.seq:
                raise GapError(f"a reset to {after} cannot follow event {self.seq}")
            for seq in [seq for seq in self._events if seq > after]:
                del self._events[seq]
        elif event.seq != self.seq + 1:
            raise GapError(f"event {event.seq} cannot follow event {self.seq}")
        self._events[event.seq] = event
        self.seq = event.seq

    def text(self) -> str:
        """Returns the last step's text: the answer, once the turn is finished."""
        text = ""
        for event in self._in_order():
            if event.type == "step.started":
                text = ""
            elif event.type == "text.delta":
                text += str(event.fields["text"])
        return text

    def calls(self) -> list[Call]:
        """Returns the tool calls in the order in which they were asked for."""
        calls: dict[str, Call] = {}
        for event in self._in_order():
            fields = event.fields
            if event.type == "tool.requested":
                call = Call(fields["call_id"], fields["name"], fields.get("arguments"))
                calls[call.call_id] = call
            elif event.type == "tool.finished" and fields["call_id"] in calls:
                calls[fields["call_id"]].outcome = str(fields["outcome"])
        return list(calls.values())

    def call(self, call_id: str) -> Call:
        """Returns one tool call."""
        found = (call for call in self.calls() if call.call_id == call_id)
        return next(found, Call(call_id, call_id, None))

    def finish(self) -> Event | None:
        """Returns the event that ended the turn, if it has ended."""
        last = self._events.get(self.seq)
        return last if last and last.type == "turn.finished" else None

    def _in_order(self) -> list[Event]:
        return [self._events[seq] for seq in sorted(self._events)]
