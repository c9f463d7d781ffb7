"""Listening to one model call, and adding up what it says."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.models.prompt import (
    EndPiece,
    Model,
    ModelError,
    Piece,
    Prices,
    ReasoningPiece,
    SignaturePiece,
    TextPiece,
    ToolUse,
    ToolUsePiece,
    UsagePiece,
)
from turnpike.agent_runtime.models.thoughts import Thoughts
from turnpike.agent_runtime.turns.model import Usage

T = TypeVar("T")

_LAST_WORDS = timedelta(seconds=2)
_MICRO = 1_000_000
_BYTES_PER_TOKEN = 4


@dataclass(slots=True)
class Heard:
    """What a model said so far."""

    text: list[str] = field(default_factory=list[str])
    reasoning: list[str] = field(default_factory=list[str])
    thoughts: Thoughts = field(default_factory=Thoughts)
    uses: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    """By index: id, name, arguments."""

    began: float = field(default_factory=time.monotonic)
    first_delta: timedelta | None = None
    """How long the first piece took; None until it came."""

    model: Model | None = None
    """Who says it."""

    attempt: int = 1
    """Which try at the step's model call says it."""

    failed: bool = False
    """The call failed, and nothing more comes of it."""

    pieces: int = 0
    reported: UsagePiece | None = None
    ended: str = ""

    @property
    def anything(self) -> bool:
        """Whether the model said anything at all."""
        return self.pieces > 0

    @property
    def is_paid(self) -> bool:
        """Whether the provider wants something for it: not for what it refused."""
        return self.anything or not self.failed

    @property
    def tool_uses(self) -> list[ToolUse]:
        """The calls that it asked for, in the order of their indices."""
        return [
            ToolUse(id=use[0], name=use[1], arguments=use[2])
            for _, use in sorted(self.uses.items())
        ]

    def usage(self, prices: Prices | None, prompt_bytes: int) -> Usage:
        """Returns what the call used.

        A call that was cut short reports nothing: then a piece counts as a
        token, as providers send them, and the prompt as its bytes by four.
        """
        said = self.reported or UsagePiece(
            input_tokens=prompt_bytes // _BYTES_PER_TOKEN, output_tokens=self.pieces
        )
        return Usage(
            input_tokens=said.input_tokens,
            output_tokens=said.output_tokens,
            cached_tokens=said.cached_tokens,
            cache_write_tokens=said.cache_write_tokens,
            reasoning_tokens=said.reasoning_tokens,
            cost_micro_usd=_cost(said, prices) if prices else 0,
        )


async def listen(
    stream: AsyncIterator[list[Piece]],
    writer: LogWriter,
    heard: Heard,
    *,
    first: timedelta,
    idle: timedelta,
    on_first: Callable[[], Awaitable[None]],
) -> None:
    """Writes what a model says to the log, and adds it to `heard`, until it ends.

    Args:
        stream: The pieces.
        writer: The turn's log.
        heard: What was said; complete when this returns.
        first: How long the first piece may take.
        idle: How long any further one may take.
        on_first: Called with the first event, a text's, a thought's or a call's: what only
            describes the call, such as its usage, is none.

    Raises:
        ModelError: The call failed, was cut, or took too long.
    """
    began = time.monotonic()
    patience = first
    while (pieces := await _next(stream, patience)) is not None:
        before = heard.anything
        for piece in pieces:
            _hear(piece, writer, heard)
        if heard.anything and not before:
            heard.first_delta = timedelta(seconds=time.monotonic() - heard.began)
            await on_first()
        elif not heard.anything:
            patience = first - timedelta(seconds=time.monotonic() - began)
        if heard.ended:
            # Usage comes after the end, if it comes.
            await _hear_usage(stream, writer, heard)
            return
        if heard.anything:
            patience = idle
    raise ModelError("PROVIDER_UNREACHABLE", "the stream was cut", transient=True)


async def _hear_usage(stream: AsyncIterator[list[Piece]], writer: LogWriter, heard: Heard) -> None:
    try:
        while heard.reported is None and (pieces := await _next(stream, _LAST_WORDS)) is not None:
            for piece in pieces:
                _hear(piece, writer, heard)
    except ModelError:
        # The answer is whole; what it used is reckoned.
        return


async def _next(stream: AsyncIterator[list[T]], patience: timedelta) -> list[T] | None:
    try:
        async with asyncio.timeout(max(patience.total_seconds(), 0)):
            return await anext(stream, None)
    except TimeoutError:
        message = f"the model said nothing for {patience.total_seconds():.0f} s"
        raise ModelError("TIMEOUT", message, transient=True) from None


def _hear(piece: Piece, writer: LogWriter, heard: Heard) -> None:
    heard.thoughts.hear(piece)
    match piece:
        case TextPiece():
            # Postgres stores no NUL.
            text = piece.text.replace("\0", "")
            heard.text.append(text)
            heard.pieces += 1
            writer.emit_text(text)
        case ReasoningPiece():
            heard.reasoning.append(piece.text.replace("\0", ""))
            heard.pieces += 1
            writer.emit_reasoning(heard.reasoning[-1])
        case SignaturePiece():
            # Readers have no use for it.
            heard.pieces += 1
        case ToolUsePiece():
            _hear_use(piece, heard)
        case UsagePiece():
            heard.reported = piece
        case EndPiece():
            heard.ended = piece.reason


def _hear_use(piece: ToolUsePiece, heard: Heard) -> None:
    heard.pieces += 1
    use = heard.uses.setdefault(piece.index, ["", "", ""])
    use[0] = use[0] or piece.id
    use[1] = use[1] or piece.name
    use[2] += piece.arguments


def _cost(said: UsagePiece, prices: Prices) -> int:
    cached = min(said.cached_tokens, said.input_tokens)
    micro = (
        (said.input_tokens - cached) * prices.input
        + cached * (prices.cached or prices.input)
        + said.output_tokens * prices.output
    )
    # Rounded up: what was used is never free.
    return -(-micro // _MICRO)
