"""What a client asks a model, and what comes of it, without any I/O."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from time import monotonic
from uuid import UUID

from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Model,
    Piece,
    ReasoningPiece,
    TextPiece,
    ToolUsePiece,
    UsagePiece,
)
from turnpike.agent_runtime.models.thoughts import Thoughts

DEFAULT_MAX_OUTPUT = 8192
"""How much a model may answer when nobody says."""

_BYTES_PER_TOKEN = 4
_STOPS = {
    "stop": "stop",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "tool_use": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a client asks."""

    id: UUID
    """Of this call alone, as gatekeeper and the ledger know it."""

    tenant: UUID
    principal: UUID
    api_key: str
    model: str
    """Empty for whoever has the role planner."""

    session: str
    """What the client calls its conversation; empty for nothing."""

    messages: Sequence[bytes]
    """JSON objects, as the client wrote them."""

    tools: bytes
    """A JSON array; empty for none."""

    parameters: bytes
    """A JSON object; empty for none."""

    max_output: int
    """Tokens of an answer; 0 for the model's own bound."""

    @property
    def input_bound(self) -> int:
        """How many tokens it has at most: no token is shorter than a byte."""
        return self.size + len(self.messages) * 16

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return sum(len(message) for message in self.messages) + len(self.tools)


@dataclass(slots=True)
class Told:
    """What a model said so far, as far as it matters afterwards."""

    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    thoughts: Thoughts = field(default_factory=Thoughts)
    calls: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    """By index: id, name, arguments."""

    pieces: int = 0
    first_at: float = 0.0
    """When it began to, by the monotonic clock."""

    usage: UsagePiece | None = None
    ended: str = ""
    model: Model | None = None
    """Who says it; None until anybody was asked."""

    def hear(self, pieces: Iterable[Piece]) -> None:
        """Adds pieces."""
        if not self.first_at:
            self.first_at = monotonic()
        for piece in pieces:
            self.thoughts.hear(piece)
            match piece:
                case UsagePiece():
                    self.usage = piece
                case EndPiece():
                    self.ended = _STOPS.get(piece.reason, "stop")
                case _:
                    self.pieces += 1
                    self._hear_said(piece)

    def stop(self) -> str:
        """Returns why it ended; who asked for tools ended for them, whatever is said."""
        return "tool_calls" if self.calls and self.ended == "stop" else self.ended

    def used(self, size: int) -> tuple[UsagePiece, bool]:
        """Returns what the call used, and whether that is reckoned.

        A call that was cut reports nothing: then a piece counts as a token, and
        the prompt as its bytes by four.
        """
        if self.usage is not None:
            return self.usage, False
        reckoned = UsagePiece(
            input_tokens=size // _BYTES_PER_TOKEN if self.pieces else 0, output_tokens=self.pieces
        )
        return reckoned, True

    def _hear_said(self, piece: Piece) -> None:
        match piece:
            case TextPiece():
                self.text.append(piece.text)
            case ReasoningPiece():
                self.reasoning.append(piece.text)
            case ToolUsePiece():
                self._hear_call(piece)
            case _:
                pass

    def _hear_call(self, piece: ToolUsePiece) -> None:
        call = self.calls.setdefault(piece.index, ["", "", ""])
        call[0] = call[0] or piece.id
        call[1] = call[1] or piece.name
        call[2] += piece.arguments
