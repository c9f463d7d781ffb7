"""Making room in a long thread: an extract stands for its oldest turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.prefix.elements import size
from turnpike.agent_runtime.prefix.model import Ledger
from turnpike.agent_runtime.turns.attaching import bound, said
from turnpike.agent_runtime.turns.model import PastTurn, Step, Turn

# Of the model's context: above the first, what is said shrinks to the second. What lies
# between keeps it from shrinking again with each turn, which would make every cache cold.
_HIGH, _LOW = 0.8, 0.4
_OF_IT_SUMMARY = 0.1
# Less than this is not worth a cold cache, unless there is hardly any room left.
_LEAST, _HARDLY_ANY = 0.2, 0.95
_LONGEST_EXTRACT = 600
_LEFT_OUT = "[Earlier turns of this conversation are left out. What was said in them, in short:]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compaction:
    """What stands for a thread's oldest turns."""

    summary: str
    through: int
    """The position of the last turn that it stands for."""

    tokens: int
    """Of the last prompt before."""

    turns: int
    """How many turns it stands for that were sent before."""


def compaction(
    ledger: Ledger, past: Sequence[PastTurn], turn: Turn, window: int
) -> Compaction | None:
    """Returns what is to stand for the oldest turns; None while there is room.

    Deterministic, so that whoever takes the turn over comes to the same.

    Args:
        ledger: The thread's; its last prompt is as the provider counted it.
        past: The turns before this one.
        turn: The turn that is to be asked.
        window: How many tokens the model takes; 0 when that is not known.
    """
    head = ledger.head
    if not window or not head.sent.bytes:
        return None
    tokens_a_byte = head.sent.tokens / head.sent.bytes
    unsent = max(size(ledger.elements) - head.sent.bytes, 0) + _input_size(turn)
    expected = head.sent.tokens + unsent * tokens_a_byte
    if expected < _HIGH * window:
        return None
    told = [earlier for earlier in past if earlier.position > head.summarised]
    room = (_LOW - _OF_IT_SUMMARY) * window / tokens_a_byte
    while told and (room := room - _size(told[-1])) >= 0:
        told.pop()
    if not told:
        return None
    most = int(_OF_IT_SUMMARY * window / tokens_a_byte)
    length = min(_LONGEST_EXTRACT, most // (2 * len(told)))
    extracts = [_extract(each, length) for each in told]
    summary = _bounded([head.summary or _LEFT_OUT, *extracts], most)
    freed = sum(_size(each) for each in told) + len(head.summary) - len(summary)
    least = 0 if expected > _HARDLY_ANY * window else _LEAST * window
    if freed * tokens_a_byte <= least:
        return None
    return Compaction(
        summary=summary, through=told[-1].position, tokens=head.sent.tokens, turns=len(told)
    )


def _input_size(turn: PastTurn | Turn) -> int:
    return bound(turn.input)


def _size(turn: PastTurn) -> int:
    return _input_size(turn) + sum(_step_size(step) for step in turn.steps)


def _step_size(step: Step) -> int:
    calls = sum(
        len(call.arguments) + len(call.result) + len(call.structured) for call in step.calls
    )
    return len(step.text.encode()) + calls


def _extract(turn: PastTurn, length: int) -> str:
    asked = " ".join(said(part) for part in turn.input)
    answer = next((step.text for step in reversed(turn.steps) if step.text), "")
    used = sorted({call.name for step in turn.steps for call in step.calls})
    tools = f" (used {', '.join(used)})" if used else ""
    return f"- asked: {_short(asked, length)}{tools}; answered: {_short(answer, length)}"


def _short(text: str, length: int) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= length else f"{flat[: length - 1]}…"


def _bounded(lines: Sequence[str], most: int) -> str:
    """Returns the lines, the oldest left out where they have more bytes than `most`."""
    first, *rest = "\n".join(lines).split("\n")
    left = most - len(first)
    kept: list[str] = []
    for line in reversed(rest):
        left -= len(line.encode()) + 1
        if left < 0:
            break
        kept.append(line)
    return "\n".join([first, *reversed(kept)])
