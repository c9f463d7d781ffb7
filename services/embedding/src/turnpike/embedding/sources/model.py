"""What is spoken of: sources, their runs, their items."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from uuid import UUID


class RunState(Enum):
    """How far a run is."""

    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    PARTIAL = "PARTIAL"
    FAILED = "FAILED"


class ItemState(Enum):
    """How an item fares."""

    OK = "OK"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    REMOVED = "REMOVED"


class Change(Enum):
    """What an update did."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What a source is to read, and where it goes."""

    connector: str
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    uris: tuple[str, ...] = ()
    seconds: int
    paused: bool = False
    overwrites: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSource:
    """A source as somebody wants it."""

    name: str
    collection: str
    folder: str
    spec: Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What a run did to how many items."""

    listed: int = 0
    added: int = 0
    changed: int = 0
    unchanged: int = 0
    removed: int = 0
    failed: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRun:
    """One reading of a source."""

    id: int
    state: RunState
    reason: str
    detail: str
    counts: Counts
    incomplete: bool
    created: datetime
    started: datetime | None
    ended: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A source as it is."""

    id: UUID
    name: str
    collection: str
    folder: str
    spec: Spec
    principal: str
    etag: str
    created: datetime
    updated: datetime
    due: datetime | None
    """When it runs next by itself."""

    last_run: SourceRun | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A resource that a source reads."""

    uri: str
    path: str
    state: ItemState
    document: UUID | None = None
    version: int = 0
    """The revision whose state the source wrote last."""

    mark: str = ""
    digest: bytes = b""
    reason: str = ""
    detail: str = ""
    run: int = 0
    updated: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A source that this process may run, as long as its fence holds."""

    tenant: UUID
    source: UUID
    collection: UUID
    folder: str
    spec: Spec
    principal: str
    fence: int
    attempts: int


@dataclass(frozen=True, slots=True)
class Begun:
    """A run that this process goes on with."""

    id: int
    anew: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a server says of something that it lets read."""

    uri: str
    name: str = ""
    title: str = ""
    media_type: str = ""
    size: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Listing:
    """What a server lists."""

    resources: Sequence[Resource]
    incomplete: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of what a resource has in it."""

    media_type: str
    content: bytes
    is_text: bool
