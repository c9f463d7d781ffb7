"""Making room in a long thread: an extract stands for its oldest turns."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.prefix.model import Head
from turnpike.agent_runtime.turns.model import PastTurn, Step

# Of the model's context: above the first, what is said shrinks to the second. What lies
# between keeps it from shrinking again with each turn, which would make every cache cold.
_HIGH, _LOW = 0.8, 0.4
_EXTRACT = 240
_LONGEST = 16_000
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


def compaction(head: Head, past: Sequence[PastTurn], window: int) -> Compaction | None:
    """Returns what is to stand for the oldest turns; None while there is room.

    Deterministic, so that whoever takes the turn over comes to the same.

    Args:
        head: The thread's ledger; its last prompt is as the provider counted it.
        past: The turns before this one.
        window: How many tokens the model takes; 0 when that is not known.
    """
    if not window or head.sent.tokens < _HIGH * window:
        return None
    told = [turn for turn in past if turn.position > head.summarised]
    tokens_a_byte = head.sent.tokens / max(head.sent.bytes, 1)
    room, kept = _LOW * window, 0.0
    while told and kept + (size := _size(told[-1]) * tokens_a_byte) <= room:
        kept += size
        told.pop()
    if not told:
        return None
    lines = [head.summary or _LEFT_OUT, *(_extract(turn) for turn in told)]
    return Compaction(
        summary=_bounded(lines),
        through=told[-1].position,
        tokens=head.sent.tokens,
        turns=len(told),
    )


def _size(turn: PastTurn) -> int:
    said = sum(len(part["text"].encode()) for part in turn.input)
    return said + sum(_step_size(step) for step in turn.steps)


def _step_size(step: Step) -> int:
    calls = sum(
        len(call.arguments) + len(call.result) + len(call.structured) for call in step.calls
    )
    return len(step.text.encode()) + calls


def _extract(turn: PastTurn) -> str:
    asked = " ".join(part["text"] for part in turn.input)
    answer = next((step.text for step in reversed(turn.steps) if step.text), "")
    used = sorted({call.name for step in turn.steps for call in step.calls})
    tools = f" (used {', '.join(used)})" if used else ""
    return f"- asked: {_short(asked)}{tools}; answered: {_short(answer)}"


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _EXTRACT else f"{flat[: _EXTRACT - 1]}…"


def _bounded(lines: Sequence[str]) -> str:
    """Returns the lines, the oldest left out where they are too many."""
    first, *rest = "\n".join(lines).split("\n")
    size = len(first)
    kept: list[str] = []
    for line in reversed(rest):
        size += len(line) + 1
        if size > _LONGEST:
            break
        kept.append(line)
    return "\n".join([first, *reversed(kept)])
