"""What embedding speaks of: vectors, chunks, and why there are none."""

from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

import grpc

from turnpike.api.embedding.v1.error_reason_pb2 import ErrorReason
from turnpike.rpc.errors import ServiceError


class Priority(Enum):
    """Who is waiting for a vector."""

    INTERACTIVE = "interactive"
    BULK = "bulk"


class TooLong(Enum):
    """What to do with a text that a model cannot take whole."""

    REFUSE = "refuse"
    TRUNCATE = "truncate"


class InputType(Enum):
    """What a text is to be used for."""

    DOCUMENT = "document"
    QUERY = "query"


class Dtype(Enum):
    """How a vector's components are written."""

    F32 = "f32"
    F16 = "f16"


class Strategy(Enum):
    """Where a text is best divided."""

    RECURSIVE = "recursive"
    CODE = "code"
    TABLE = "table"


@dataclass(frozen=True, slots=True)
class Item:
    """A text as a model will read it."""

    text: str
    ids: list[int]
    """Its tokens, the model's markers included."""

    truncated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedding:
    """A text's place in a model's space, as little-endian floats."""

    vector: bytes
    tokens: int
    truncated: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Embeddings:
    """What one model made of several texts, in their order."""

    model: str
    dimensions: int
    items: list[Embedding]
    dtype: Dtype = Dtype.F32


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """The characters of a text from `start` up to `end`, which fit a model."""

    text: str
    start: int
    end: int
    tokens: int
    header: str
    headings: tuple[str, ...]
    """Those above it, the outermost first."""

    first_line: int
    last_line: int
    """Of its first and its last character, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunks:
    """The chunks of one text, and the model whose tokens were counted."""

    model: str
    items: list[Chunk]


def _name(reason: "ErrorReason.ValueType") -> str:
    return ErrorReason.Name(reason).removeprefix("ERROR_REASON_")


class EmbeddingError(ServiceError):
    """Anything that this service refuses."""

    domain = "embedding.turnpike"


class ModelNotFoundError(EmbeddingError):
    """There is no such model."""

    code = grpc.StatusCode.NOT_FOUND
    reason = _name(ErrorReason.ERROR_REASON_NOT_FOUND)

    def __init__(self, model: str) -> None:
        super().__init__(f"there is no embedding model {model!r}", kind="model", id=model)


class ModelReplacedError(EmbeddingError):
    """The vectors are of a model that this process has not: it was changed under its name."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_MODEL_REPLACED)

    def __init__(self, model: str) -> None:
        super().__init__(f"the model {model!r} is another here", model=model)


class InputEmptyError(EmbeddingError):
    """A text has nothing in it that a model could read."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = _name(ErrorReason.ERROR_REASON_INPUT_EMPTY)

    def __init__(self, index: int) -> None:
        super().__init__(
            f"input {index} has no token: nothing but white space or control characters",
            fields=[(f"input[{index}]", "has no token")],
            index=str(index),
        )


class InputTooLongError(EmbeddingError):
    """A text has more tokens than the model takes."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = _name(ErrorReason.ERROR_REASON_INPUT_TOO_LONG)

    def __init__(self, index: int, *, tokens: int, max_tokens: int) -> None:
        super().__init__(
            f"input {index} has {tokens} tokens and the model takes {max_tokens}: "
            "chunk it, or ask for it to be truncated",
            fields=[(f"input[{index}]", f"has more than {max_tokens} tokens")],
            index=str(index),
            tokens=str(tokens),
            max_tokens=str(max_tokens),
        )


class ModelUnusableError(EmbeddingError):
    """A model's configuration does not work: its files, its provider or its credential."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_MODEL_UNUSABLE)

    def __init__(self, model: str, message: str) -> None:
        super().__init__(f"the model {model!r} cannot be used: {message}", model=model)


class ProviderError(EmbeddingError):
    """A model's provider refuses the call for good."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = _name(ErrorReason.ERROR_REASON_PROVIDER_ERROR)

    def __init__(self, model: str, message: str) -> None:
        super().__init__(f"the provider of {model!r} refuses: {message}", model=model)


class ProviderRateLimitedError(EmbeddingError):
    """A model's provider answers too many calls already."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_PROVIDER_RATE_LIMITED)

    def __init__(self, model: str, *, retry_after: timedelta) -> None:
        super().__init__(
            f"the provider of {model!r} asks to wait", retry_after=retry_after, model=model
        )


class ProviderUnreachableError(EmbeddingError):
    """A model's provider does not answer, or not now."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = _name(ErrorReason.ERROR_REASON_PROVIDER_UNREACHABLE)

    def __init__(self, model: str, *, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(
            f"the provider of {model!r} does not answer", retry_after=retry_after, model=model
        )


class RerankingError(Exception):
    """A reranker gives no scores: what was found keeps its order."""


class QueueFullError(EmbeddingError):
    """Too much work is waiting already."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = _name(ErrorReason.ERROR_REASON_QUEUE_FULL)

    def __init__(self, waiting: int, unit: str, *, retry_after: timedelta) -> None:
        super().__init__(
            f"{waiting} {unit} are waiting already",
            retry_after=retry_after,
            waiting=str(waiting),
            unit=unit,
        )
