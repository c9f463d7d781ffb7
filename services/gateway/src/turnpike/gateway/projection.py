"""A turn's log for readers that cannot take anything back.

A `log.reset` voids what was shown. Who cannot forget it is told nothing while
the new text only repeats it, goes on where the new text is longer, and is told
that it was superseded where the new text is another.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from typing import Any

from turnpike.api.agent_runtime.v1.approval_pb2 import Approval, DecisionKind
from turnpike.api.agent_runtime.v1.event_pb2 import ApprovalRequired, Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.gateway.events import OUTCOMES, STATUSES
from turnpike.gateway.forms import Asked, Ending, Form, Spent
from turnpike.gateway.problems import ProblemError, of_turn

_YES_OR_NO = frozenset({DecisionKind.DECISION_KIND_APPROVE, DecisionKind.DECISION_KIND_REJECT})
# What is heard of a part that is not told.
_HEARD = frozenset({"tool_requested", "tool_started", "tool_finished", "approval_decided"})
_PARAGRAPH = "\n\n"


class SupersededError(Exception):
    """What was shown does not stand any more."""


class Shown:
    """A text as one reader was shown it, which only grows."""

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self._seqs: list[int] = []
        self._ahead = ""
        """What was shown beyond what stands now."""

    @property
    def last_seq(self) -> int:
        """The number of the last text that stands."""
        return self._seqs[-1] if self._seqs else 0

    @property
    def ahead(self) -> bool:
        """Whether the reader was shown more than stands now."""
        return bool(self._ahead)

    def add(self, seq: int, text: str) -> str:
        """Returns what of a further text the reader has not been shown.

        Raises:
            SupersededError: The reader was shown another text in its place.
        """
        self._pieces.append(text)
        self._seqs.append(seq)
        ahead = self._ahead
        if not ahead:
            return text
        if ahead.startswith(text):
            self._ahead = ahead[len(text) :]
            return ""
        if not text.startswith(ahead):
            raise SupersededError
        self._ahead = ""
        return text[len(ahead) :]

    def reset(self, after_seq: int) -> None:
        """Takes back what came after a number; the reader was shown it all the same."""
        stands = bisect_right(self._seqs, after_seq)
        self._ahead = "".join(self._pieces[stands:]) + self._ahead
        del self._pieces[stands:], self._seqs[stands:]


class Projection:
    """Tells a turn's log in another vendor's form.

    Args:
        form: How.
        items: Whether the form tells the reasoning and the text of each step as
            things of their own, in order, whose number cannot change. Otherwise
            reasoning that becomes another is told no further, and the texts of
            the steps are one, a blank line between them.
        notes: What Turnpike adds at the end.
        since: An approval: what came before it was decided is not told.
        seen: The last number that the reader was told of before; what was voided
            since is not in the log any more, so nobody knows what it was told.
    """

    def __init__(
        self,
        form: Form,
        *,
        items: bool = False,
        notes: dict[str, Any],
        since: str = "",
        seen: int = 0,
    ) -> None:
        self.ended = False
        self.asks = False
        """Whether the last that was heard is that somebody is asked."""

        self.failure: ProblemError | None = None
        self._form = form
        self._items = items
        self._seen = seen
        self._since = since
        self._notes = notes
        self._text = Shown()
        self._reasoning = Shown()
        self._mute = False
        self._step_began = 0
        self._spoke_before = False
        self._spent: list[tuple[int, Spent]] = []
        self._takers: dict[str, Callable[[Event], bytes]] = {
            "text_delta": self._take_text,
            "reasoning_delta": self._take_reasoning,
            "step_started": self._take_step,
            "tool_requested": self._take_request,
            "tool_started": self._take_start,
            "tool_finished": self._take_result,
            "approval_required": self._take_asked,
            "approval_decided": self._take_decided,
            "log_reset": self._take_reset,
            "usage": self._take_usage,
            "turn_finished": self._take_end,
        }

    @property
    def notes(self) -> dict[str, Any]:
        """What names the turn."""
        return self._notes

    def take(self, events: Iterable[Event]) -> bytes:
        """Returns what tells the events."""
        told: list[bytes] = []
        try:
            for event in events:
                told.append(self._told(event))  # what came before a failure counts
        except SupersededError:
            told.append(self.fail(superseded(self._notes)))
        return b"".join(told)

    def fail(self, problem: ProblemError) -> bytes:
        """Returns what tells that it ends here."""
        self.ended, self.failure = True, problem
        return self._form.fail(problem)

    def rest(self, turn: Turn) -> bytes:
        """Returns what tells that the turn waits for somebody."""
        self.ended = True
        told = b""
        if self._since:
            # Others are to decide, too: it is asked as before.
            self._form.forget()
            told = self._form.asked(turn.approval.id, asked_plainly(turn.approval))
        return told + self._form.end(Ending(spent=self._total(), notes=waiting_notes(turn)))

    def _told(self, event: Event) -> bytes:
        taker = self._takers.get(event.WhichOneof("body") or "")
        if taker is None or self.ended:
            return b""
        self._form.at(event.seq)
        if self._since:
            if event.WhichOneof("body") in _HEARD:
                taker(event)
            return b""
        return taker(event)

    def _take_text(self, event: Event) -> bytes:
        text: str = event.text_delta.text
        if self._items:
            self._check(self._reasoning)
        elif self._spoke_before and text:
            self._spoke_before = False
            text = _PARAGRAPH + text
        new = self._text.add(event.seq, text)
        return self._form.text(new) if new else b""

    def _take_reasoning(self, event: Event) -> bytes:
        if self._items and self._text.ahead:
            # It was shown as if there were none.
            raise SupersededError
        try:
            new = self._reasoning.add(event.seq, event.reasoning_delta.text)
        except SupersededError:
            if self._items:
                raise
            self._mute = True
            return b""
        return self._form.reasoning(new) if not self._mute and new else b""

    def _take_step(self, event: Event) -> bytes:
        self._step_began = event.seq
        self._see_whether_spoken()
        return self._form.step(event.step_started.step)

    def _take_request(self, event: Event) -> bytes:
        self._check(self._text)
        body = event.tool_requested
        return self._form.requested(body.call_id, body.name, body.arguments)

    def _take_start(self, event: Event) -> bytes:
        return self._form.started(event.tool_started.call_id)

    def _take_asked(self, event: Event) -> bytes:
        self.asks = True
        body = event.approval_required
        return self._form.asked(body.approval, asked_plainly(body))

    def _take_decided(self, event: Event) -> bytes:
        self.asks = False
        body = event.approval_decided
        for each in body.decisions:
            edited = each.arguments if each.kind == DecisionKind.DECISION_KIND_EDIT else ""
            self._form.decided(body.approval, each.call_id, edited)
        if body.approval == self._since and body.complete:
            self._since = ""
            self._form.forget()
        return b""

    def _take_result(self, event: Event) -> bytes:
        body = event.tool_finished
        outcome = OUTCOMES.get(body.outcome, "UNKNOWN")
        return self._form.finished(body.call_id, outcome, body.result)

    def _take_reset(self, event: Event) -> bytes:
        after = event.log_reset.after_seq
        if after < self._seen < event.seq:
            raise SupersededError
        self._text.reset(after)
        self._reasoning.reset(after)
        self._see_whether_spoken()
        self._spent = [(seq, spent) for seq, spent in self._spent if seq <= after]
        return b""

    def _take_usage(self, event: Event) -> bytes:
        usage = event.usage.usage
        spent = Spent(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cached_tokens,
            cache_write_tokens=usage.cache_write_tokens,
        )
        self._spent.append((event.seq, spent))
        return b""

    def _take_end(self, event: Event) -> bytes:
        body = event.turn_finished
        status = STATUSES.get(body.status, "FAILED")
        if status != "COMPLETED":
            return self.fail(of_turn(status, body.error.reason, body.error.message, self._notes))
        self._check(self._text)
        self.ended = True
        notes = self._notes | {"status": status}
        return self._form.end(Ending(spent=self._total(), notes=notes))

    def _see_whether_spoken(self) -> None:
        self._spoke_before = 0 < self._text.last_seq < self._step_began

    def _check(self, shown: Shown) -> None:
        """Refuses to go on to something else while more is shown than stands."""
        if shown.ahead:
            raise SupersededError

    def _total(self) -> Spent:
        total = Spent()
        for _, spent in self._spent:
            total.add(spent)
        return total


def asked_plainly(approval: Approval | ApprovalRequired) -> list[Asked]:
    """Returns the calls of which yes or no can be said; none where more is to be said of any."""
    calls = [
        Asked(call_id=call.call_id, name=call.name, arguments=call.arguments)
        for call in approval.calls
        if set(call.allowed) >= _YES_OR_NO
    ]
    return calls if len(calls) == len(approval.calls) else []


def waiting_notes(turn: Turn) -> dict[str, Any]:
    """Returns what tells that a turn waits, and where to decide what it waits for."""
    notes = {"turn": turn.id, "thread": turn.thread}
    notes |= {"status": "WAITING", "waiting_for": turn.waiting_for}
    if turn.HasField("approval"):
        notes["approval"] = turn.approval.id
    return notes


def superseded(notes: dict[str, Any]) -> ProblemError:
    """Returns the end of a stream whose text is not the turn's any more."""
    return ProblemError(
        503,
        "SUPERSEDED",
        "the model's answer was cut and began anew, and what was shown cannot be taken back: "
        "the turn goes on, read it again",
        metadata={name: str(value) for name, value in notes.items()},
        began=True,
    )
