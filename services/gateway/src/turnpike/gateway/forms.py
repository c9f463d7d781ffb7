"""What the streams of other vendors' forms have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from turnpike.gateway.problems import ProblemError

Stop = Literal["stop", "length", "tool_calls", "content_filter"]
"""Why a model ended, in OpenAI's words."""


@dataclass(slots=True, kw_only=True)
class Spent:
    """Tokens. The prompt's are all of them: uncached, read from a cache, written to one."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0

    def add(self, other: "Spent") -> None:
        """Adds what another call used."""
        self.input_tokens += other.input_tokens
        self.output_tokens += other.output_tokens
        self.cached_tokens += other.cached_tokens
        self.cache_write_tokens += other.cache_write_tokens
        self.reasoning_tokens += other.reasoning_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A call that somebody is asked whether it may run."""

    call_id: str
    name: str
    arguments: str


@dataclass(slots=True, kw_only=True)
class Ending:
    """How an answer ended."""

    stop: Stop = "stop"
    spent: Spent = field(default_factory=Spent)
    notes: dict[str, Any] | None = None
    """What Turnpike adds of its own: the turn, and what it waits for."""


class Form:
    """How one vendor's clients are told an answer. What a form leaves out it tells with nothing.

    Each method returns the bytes that tell it, to be joined and sent.
    """

    def at(self, seq: int) -> None:
        """Hears which number of a turn's log is told next."""

    def begin(self) -> bytes:
        """Tells that an answer is coming."""
        return b""

    def step(self, number: int) -> bytes:
        """Tells that the agent asks its model, for the so-manieth time."""
        del number
        return b""

    def text(self, text: str) -> bytes:
        """Tells text of the answer."""
        raise NotImplementedError

    def reasoning(self, text: str) -> bytes:
        """Tells text of the reasoning."""
        del text
        return b""

    def signature(self, signature: str) -> bytes:
        """Tells a provider's signature of the reasoning before it."""
        del signature
        return b""

    def call(self, index: int, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a part of a call that the client is to make; the first has id and name."""
        raise NotImplementedError

    def requested(self, call_id: str, name: str, arguments: str) -> bytes:
        """Tells a call that the agent makes itself."""
        del call_id, name, arguments
        return b""

    def started(self, call_id: str) -> bytes:
        """Tells that such a call runs."""
        del call_id
        return b""

    def asked(self, approval: str, calls: Sequence[Asked]) -> bytes:
        """Tells calls of which somebody is to say yes or no."""
        del approval, calls
        return b""

    def decided(self, approval: str, call_id: str, arguments: str) -> None:
        """Hears what was said of one of them, with other arguments unless these are empty."""

    def forget(self) -> None:
        """Forgets what was told so far, but for the calls that have not ended."""

    def finished(self, call_id: str, outcome: str, result: str) -> bytes:
        """Tells how a call ended that the agent made."""
        del call_id, outcome, result
        return b""

    def end(self, ending: Ending) -> bytes:
        """Tells that the answer stands."""
        raise NotImplementedError

    def fail(self, problem: ProblemError) -> bytes:
        """Tells that it ends here, and why."""
        raise NotImplementedError
