"""What is said to a language model, and what it says back, whatever its wire format."""

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolUse:
    """A model's wish to call a tool, verbatim."""

    id: str
    """The provider's id of the call."""

    name: str
    """The tool's name as the model was shown it."""

    arguments: str
    """The arguments exactly as the model wrote them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a prompt."""

    role: Literal["system", "user", "assistant", "tool"]
    text: str
    calls: tuple[ToolUse, ...] = ()
    """Of an assistant: the calls that it asked for."""

    call_id: str = ""
    """Of a tool: the provider's id of the call that this answers."""

    thoughts: str = ""
    """Of an assistant: the reasoning that its provider signed, as `Thoughts` wrote it."""

    pictures: tuple[str, ...] = ()
    """Of a user: the digests of images, which come after the text."""

    wire: bytes = b""
    """The message as the OpenAI wire has it, as it was sent before; empty when it never was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolDefinition:
    """A tool as the model is shown it."""

    name: str
    description: str
    input_schema: str
    """A JSON Schema, as a JSON document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Millionths of a US dollar for a million tokens."""

    input: int
    output: int
    cached: int
    cache_write: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """How to reach a language model. Holds the credential: never log it."""

    tenant: UUID
    name: str
    provider: str
    model: str
    base_url: str
    api_key: str = field(repr=False)
    prices: Prices | None
    max_output: int = 0
    """Tokens of an answer at most; 0 bounds nothing."""

    context_window: int = 0
    capabilities: frozenset[str] = frozenset()
    options: tuple[tuple[str, str], ...] = ()
    """`region`, `api_version`, `beta`, as far as they are set."""

    quota_pool: str = ""
    version: int = 0
    own_key: bool = False
    """Whether the credential is the tenant's or the person's own, so that they pay for it."""

    @property
    def sees(self) -> bool:
        """Whether it may be shown images: who says nothing of what it can do forbids nothing."""
        return not self.capabilities or "vision" in self.capabilities

    @property
    def costs_nothing(self) -> bool:
        """Whether what it uses is paid elsewhere: whose key it is gave it no prices."""
        return self.own_key and self.prices is None

    def option(self, name: str) -> str:
        """Returns an option; empty when it is not set."""
        return dict(self.options).get(name, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caching:
    """What a provider is told of its prompt cache: only what it takes."""

    key: str = ""
    """`prompt_cache_key`; empty for none."""

    retention: str = ""
    """`prompt_cache_retention`; empty for none."""

    breakpoints: bool = False
    """Whether messages are marked up to which it is to keep them, as Anthropic wants it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """Everything that one model call is made of."""

    model: Model
    messages: tuple[Message, ...]
    tools: tuple[ToolDefinition, ...]
    traceparent: str
    tools_wire: bytes = b""
    """The tools as the OpenAI wire has them, as they were sent before; empty when never."""

    parameters: bytes = b""
    """What else is asked, in OpenAI's words: a JSON object; empty for nothing."""

    caching: Caching = Caching()
    pictures: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    """The images that messages name, as data URLs, by their digests."""


@dataclass(slots=True)
class TextPiece:
    """Text of the answer."""

    text: str


@dataclass(slots=True)
class ReasoningPiece:
    """Text of the reasoning."""

    text: str


@dataclass(slots=True)
class SignaturePiece:
    """What the provider wants back with the answer, byte for byte, to know its own reasoning."""

    signature: str
    of: Literal["reasoning", "redacted", "call", "text"] = "reasoning"
    """What it signs: the reasoning before it, a call, or the answer's text. `redacted` is the
    reasoning itself, which only the provider can read."""

    call: int = 0
    """The index of the call that it signs."""

    details: str = ""
    """What else the provider said of it, as a JSON object; empty for nothing."""


@dataclass(slots=True)
class ToolUsePiece:
    """A part of a call: the first of an index has id and name."""

    index: int
    id: str
    name: str
    arguments: str


@dataclass(slots=True)
class UsagePiece:
    """What the call used so far; the last one counts. Prompt = uncached + cached + written."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    """Of the output."""


@dataclass(slots=True)
class EndPiece:
    """The model ended by itself, as the provider says: `stop`, `tool_calls`, and the like."""

    reason: str


Piece = TextPiece | ReasoningPiece | SignaturePiece | ToolUsePiece | UsagePiece | EndPiece


class ModelError(Exception):
    """A model call that failed.

    Attributes:
        reason: `RATE_LIMITED`, `OVERLOADED`, `QUOTA_EXHAUSTED`, `AUTHENTICATION`,
            `CONTEXT_LENGTH`, `CONTENT_FILTERED`, `PROVIDER_ERROR`, `PROVIDER_UNREACHABLE`,
            `TIMEOUT`, `MODEL_UNUSABLE` or `OWN_KEY_REQUIRED`.
        transient: Whether the same call may succeed later.
        retry_after: Seconds that the provider asks to wait; None when it does not say.
    """

    def __init__(
        self, reason: str, message: str, *, transient: bool, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.transient = transient
        self.retry_after = retry_after


class ModelClient(Protocol):
    """One way to language models."""

    def stream(self, prompt: Prompt) -> AsyncGenerator[list[Piece]]:
        """Yields pieces as they arrive: all that arrived together, as one list.

        An async generator; closing it (`aclose`) closes the provider's connection at once. Ends
        after an `EndPiece`; a stream that ends without one was cut.

        Raises:
            ModelError: At any moment; before the first list nothing was said.
        """
        ...
