"""What is asked of a search, and what it finds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from uuid import UUID

import grpc

from turnpike.api.embedding.v1.error_reason_pb2 import ErrorReason
from turnpike.embedding.model import EmbeddingError

DEFAULT_LIMIT = 10


class Plan(Enum):
    """How vectors are searched."""

    EXACT = "exact"
    PARTIAL_INDEX = "partial index"
    ITERATIVE = "iterative"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Where to look: whatever is set must hold."""

    collections: tuple[str, ...] = ()
    folder: str = ""
    media_types: tuple[str, ...] = ()
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])
    since: date | None = None
    """The first day on which a document may have changed."""

    until: date | None = None
    """The last one, to its end."""

    time_zone: str = "UTC"

    @property
    def is_of_documents(self) -> bool:
        """Whether it asks anything of the documents themselves."""
        days = self.since is not None or self.until is not None
        return bool(self.folder or self.media_types or self.metadata or days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked."""

    tenant: UUID
    wordings: tuple[str, ...]
    """The query as it came, and what was planned beside it."""

    filter: Filter = field(default_factory=Filter)
    limit: int = DEFAULT_LIMIT
    max_tokens: int = 0
    """How many tokens all results may have; 0 for no bound."""

    recent: bool = False
    read_time: bool = False
    """Whether to read what the query itself says of time."""

    plan: bool = False
    """Whether to have the planner word it anew, while it is searched as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """A collection that is searched."""

    id: UUID
    name: str
    language: str
    model: str
    next_model: str = ""
    """The one that it is migrating to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A part of a document, with its citation."""

    document: UUID
    collection: str
    model: str
    path: str
    title: str
    revision: int
    position: int
    text: str
    header: str
    headings: tuple[str, ...]
    start: int
    end: int
    first_line: int
    last_line: int
    score: float
    dense_rank: int
    text_rank: int
    updated: datetime
    tokens: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found, the best first."""

    results: list[Result]
    plan: Plan | None
    asked: Question
    """With what was read from the query."""

    reranked: bool = False
    """Whether a reranker had the last word on their order."""

    planned: str = ""
    """The planner's wording, where that was searched too."""

    @property
    def tokens(self) -> int:
        """How many tokens the results have together."""
        return sum(result.tokens for result in self.results)


class CollectionMissingError(EmbeddingError):
    """There is no such collection."""

    code = grpc.StatusCode.NOT_FOUND
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_NOT_FOUND).removeprefix("ERROR_REASON_")

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no collection {name!r}", kind="collection", id=name)
