"""Sources, their runs and their items, as JSON."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from turnpike.api.embedding.v1 import source_service_pb2 as pb
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.collection_shapes import CollectionName
from turnpike.gateway.routes.replies import time_of
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

_RUN_STATES = {
    value: name.removeprefix("SOURCE_RUN_STATE_") for name, value in pb.SourceRunState.items()
}
_ITEM_STATES = {
    value: name.removeprefix("SOURCE_ITEM_STATE_") for name, value in pb.SourceItemState.items()
}
_Patterns = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=512)]], Field(max_length=50)
]


class NewSource(Request):
    """What a source is to read, and where it goes."""

    name: CollectionName | None = None
    collection: Annotated[Text, Field(min_length=1, max_length=63)]
    connector: Annotated[Text, Field(min_length=1, max_length=63)]
    folder: Annotated[Text, Field(max_length=512)] = Field(
        default="", description="The folder that it owns; one of its own name if it is empty."
    )
    include: _Patterns = Field(default=[], description="Patterns of URIs; `*` is anything.")
    exclude: _Patterns = Field(default=[])
    uris: Annotated[
        list[Annotated[Text, Field(min_length=1, max_length=2048)]], Field(max_length=1000)
    ] = Field(default=[], description="What is read beside what the server lists.")
    interval_seconds: Annotated[int, Field(ge=60, le=31_536_000)] = 86_400
    paused: bool = Field(default=False, description="Run only when asked to.")
    on_edit: Literal["KEEP", "OVERWRITE"] = Field(
        default="KEEP", description="About documents that somebody else changed."
    )


class SourceRun(Reply):
    """One reading of a source."""

    id: int
    state: str = Field(description="`QUEUED RUNNING SUCCEEDED PARTIAL FAILED`.")
    reason: str
    detail: str
    listed: int
    added: int
    changed: int
    unchanged: int
    removed: int
    failed: int
    skipped: int
    incomplete: bool
    created: Time
    started: Time | None
    ended: Time | None


class SourceRunPage(Reply):
    """A page of runs, the newest first."""

    runs: list[SourceRun]
    next_page_token: str


class Source(Reply):
    """What feeds a folder of a collection."""

    name: str
    collection: str
    connector: str
    folder: str
    include: list[str]
    exclude: list[str]
    uris: list[str]
    interval_seconds: int
    paused: bool
    on_edit: str
    principal: str
    next_run: Time | None
    last_run: SourceRun | None
    etag: str
    created: Time
    updated: Time


class SourcePage(Reply):
    """A page of sources, by name."""

    sources: list[Source]
    next_page_token: str


class SourceItem(Reply):
    """A resource that a source reads."""

    uri: str
    document: str
    path: str
    state: str = Field(description="`OK FAILED SKIPPED REMOVED`.")
    reason: str
    detail: str
    updated: Time


class SourceItemPage(Reply):
    """A page of items, by URI."""

    items: list[SourceItem]
    next_page_token: str


class Rerun(Request):
    """How a source is to run."""

    anew: bool = Field(default=False, description="Also what the server says is as before.")


def to_message(name: str, body: NewSource) -> pb.Source:
    """Returns what a source is to be as a message."""
    return pb.Source(
        name=name,
        collection=body.collection,
        connector=body.connector,
        folder=body.folder,
        include=body.include,
        exclude=body.exclude,
        uris=body.uris,
        interval=timedelta(seconds=body.interval_seconds),
        paused=body.paused,
        on_edit=pb.ON_EDIT_OVERWRITE if body.on_edit == "OVERWRITE" else pb.ON_EDIT_KEEP,
    )


def to_source(message: pb.Source) -> Source:
    """Returns a source as JSON has it."""
    return Source(
        name=message.name,
        collection=message.collection,
        connector=message.connector,
        folder=message.folder,
        include=list(message.include),
        exclude=list(message.exclude),
        uris=list(message.uris),
        interval_seconds=message.interval.seconds,
        paused=message.paused,
        on_edit=pb.OnEdit.Name(message.on_edit).removeprefix("ON_EDIT_"),
        principal=message.principal,
        next_run=time_of(message, "next_run_time"),
        last_run=to_run(message.last_run) if message.HasField("last_run") else None,
        etag=message.etag,
        created=rfc3339(message.create_time),
        updated=rfc3339(message.update_time),
    )


def to_run(message: pb.SourceRun) -> SourceRun:
    """Returns a run as JSON has it."""
    return SourceRun(
        id=message.id,
        state=_RUN_STATES[message.state],
        reason=message.reason,
        detail=message.detail,
        listed=message.listed,
        added=message.added,
        changed=message.changed,
        unchanged=message.unchanged,
        removed=message.removed,
        failed=message.failed,
        skipped=message.skipped,
        incomplete=message.incomplete,
        created=rfc3339(message.create_time),
        started=time_of(message, "start_time"),
        ended=time_of(message, "end_time"),
    )


def to_item(message: pb.SourceItem) -> SourceItem:
    """Returns an item as JSON has it."""
    return SourceItem(
        uri=message.uri,
        document=message.document,
        path=message.path,
        state=_ITEM_STATES[message.state],
        reason=message.reason,
        detail=message.detail,
        updated=rfc3339(message.update_time),
    )
