"""What is spoken of: collections, documents, revisions, changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from uuid import UUID

from turnpike.embedding.model import Strategy


class State(Enum):
    """How far a document's chunks and vectors have come."""

    QUEUED = "QUEUED"
    EXTRACTING = "EXTRACTING"
    CHUNKING = "CHUNKING"
    EMBEDDING = "EMBEDDING"
    READY = "READY"
    FAILED = "FAILED"

    @property
    def is_over(self) -> bool:
        """Whether nobody works on it any more."""
        return self in (State.READY, State.FAILED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """Documents that share a language and a model."""

    id: UUID
    name: str
    language: str
    model: str
    max_tokens: int
    overlap: int
    metadata: Mapping[str, str]
    etag: str
    created: datetime
    updated: datetime
    next_model: str = ""
    """The key of the model that it is migrating to."""


class MigrationState(Enum):
    """How far a migration is."""

    RUNNING = "RUNNING"
    REPLACING = "REPLACING"
    ACTIVATED = "ACTIVATED"
    ABORTED = "ABORTED"

    @property
    def is_decided(self) -> bool:
        """Whether what is left to do is dropping vectors."""
        return self in (MigrationState.ACTIVATED, MigrationState.ABORTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How well two models find the same; see the protocol's Migration."""

    sample: int = 0
    recall: float = 0
    agreement: float = 0
    source_hits: float = 0
    target_hits: float = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Migration:
    """A collection's migration to another model. Models are given by their keys."""

    collection: UUID
    source: str
    target: str
    state: MigrationState
    comparison: Comparison
    created: datetime
    ended: datetime | None

    @property
    def dropped(self) -> str:
        """The model whose vectors are wanted no more, once that is decided."""
        return self.source if self.state is MigrationState.ACTIVATED else self.target


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """How much of a migration is done, in texts of documents and of what they were."""

    done: int
    total: int
    failed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCollection:
    """What a collection is to be; what is empty, or 0, is left to the service."""

    name: str
    language: str
    model: str
    max_tokens: int
    overlap: int
    metadata: Mapping[str, str]


class Made(Enum):
    """What making a collection what it is to be did."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a document is made of."""

    digest: bytes
    media_type: str
    size: int
    blob: str = ""
    """The original's key in the blob store; empty: the text is the original."""

    text: str | None = None
    """None: it has not been extracted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """All that a revision says of a document."""

    path: str | None
    """None: it is deleted."""

    title: str
    media_type: str
    metadata: Mapping[str, str]
    content: bytes
    """The digest of its content."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Indexing:
    """How far a document's newest revision has come."""

    state: State
    done: int = 0
    total: int = 0
    embedded: int = 0
    reason: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A document as it is now."""

    id: UUID
    collection: UUID
    number: int
    shape: Shape
    size: int = 0
    indexing: Indexing | None = None
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """What a document was after a change."""

    number: int
    version: int
    """The revision whose state this is; 0 where a document was made unmade."""

    shape: Shape
    change: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentChange:
    """What a change did to one document."""

    document: UUID
    old_path: str | None
    path: str | None
    number: int
    content_changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What one request did."""

    id: int
    collection: UUID
    kind: str
    principal: str
    turn: UUID | None
    reverts: int | None
    created: datetime
    documents: tuple[DocumentChange, ...] = ()
    made: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Fate(Enum):
    """How the taking back of a change fared."""

    REVERTED = "REVERTED"
    UNCHANGED = "UNCHANGED"
    EDITED_SINCE = "EDITED_SINCE"
    PATH_TAKEN = "PATH_TAKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """What stands in the way of taking a change back."""

    path: str
    document: UUID | None = None
    number: int = 0
    reverted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """How the taking back of a change fared."""

    change: Change
    fate: Fate
    reversal: Change | None = None
    conflicts: tuple[Conflict, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Author:
    """Who asks for a change, and under which key."""

    tenant: UUID
    principal: str
    turn: UUID | None = None
    request: str = ""
    """The same key asks for the same change; empty: each is its own."""

    request_digest: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a document is said to be."""

    collection: str
    path: str
    """Or its id."""

    expected: int | None = None
    """The revision that it must have; 0: it must not be there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What a document is to be."""

    content: bytes
    media_type: str = ""
    title: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How a text is divided: the same recipe divides the same text into the same chunks."""

    strategy: Strategy
    max_tokens: int
    overlap: int
    language: str = ""
    """That of code whose syntax is known."""

    def __str__(self) -> str:
        version = f"2:{self.language}" if self.language else "1"
        return f"{self.strategy.value}/{self.max_tokens}/{self.overlap}/{version}"

    @classmethod
    def parse(cls, recipe: str) -> "Recipe":
        """Returns what was written by `str`."""
        strategy, max_tokens, overlap, version = recipe.split("/")
        return cls(
            strategy=Strategy(strategy),
            max_tokens=int(max_tokens),
            overlap=int(overlap),
            language=version.partition(":")[2],
        )
