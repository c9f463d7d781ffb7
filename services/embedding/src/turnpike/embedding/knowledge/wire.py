"""Documents and what becomes of them, as messages."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from turnpike.api.embedding.v1 import collection_service_pb2 as collections_pb
from turnpike.api.embedding.v1 import document_pb2 as pb
from turnpike.embedding.catalogue import name_of
from turnpike.embedding.knowledge.model import (
    Advance,
    Author,
    Change,
    Collection,
    Conflict,
    Document,
    DocumentChange,
    Fate,
    Indexing,
    Migration,
    MigrationState,
    NewCollection,
    Place,
    Reversal,
    Revision,
    State,
)
from turnpike.embedding.planner import Asker
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.served import Context, caller_of

SHOWN_DOCUMENTS = 100
"""Of how many documents a change tells."""

_STATES = {
    State.QUEUED: pb.INDEXING_STATE_QUEUED,
    State.EXTRACTING: pb.INDEXING_STATE_EXTRACTING,
    State.CHUNKING: pb.INDEXING_STATE_CHUNKING,
    State.EMBEDDING: pb.INDEXING_STATE_EMBEDDING,
    State.READY: pb.INDEXING_STATE_READY,
    State.FAILED: pb.INDEXING_STATE_FAILED,
}
_MIGRATION_STATES = {
    MigrationState.RUNNING: collections_pb.MIGRATION_STATE_RUNNING,
    MigrationState.REPLACING: collections_pb.MIGRATION_STATE_REPLACING,
    MigrationState.ACTIVATED: collections_pb.MIGRATION_STATE_ACTIVATED,
    MigrationState.ABORTED: collections_pb.MIGRATION_STATE_ABORTED,
}
_FATES = {
    Fate.REVERTED: pb.REVERSAL_OUTCOME_REVERTED,
    Fate.UNCHANGED: pb.REVERSAL_OUTCOME_UNCHANGED,
    Fate.EDITED_SINCE: pb.REVERSAL_OUTCOME_EDITED_SINCE,
    Fate.PATH_TAKEN: pb.REVERSAL_OUTCOME_PATH_TAKEN,
}


class _Keyed(Protocol):
    """A request that may be made once under a key."""

    @property
    def request_id(self) -> str: ...

    def SerializeToString(self, *, deterministic: bool = ...) -> bytes: ...


def tenant_of(context: Context) -> UUID:
    """Returns the caller's tenant."""
    return UUID(caller_of(context).tenant)


def asker_of(context: Context) -> Asker:
    """Returns in whose name the planner is asked."""
    caller = caller_of(context)
    return Asker(tenant=UUID(caller.tenant), principal=caller.principal, key=caller.key)


def author_of(context: Context, request: _Keyed | None = None, turn: str = "") -> Author:
    """Returns who asks for a change, and under which key.

    Raises:
        ForbiddenError: Somebody says that a turn asks, and is no service.
    """
    caller = caller_of(context)
    if turn and not caller.service:
        raise ForbiddenError("turn is for services alone")
    digest = b""
    if request is not None and request.request_id:
        digest = sha256(request.SerializeToString(deterministic=True)).digest()
    return Author(
        tenant=UUID(caller.tenant),
        principal=caller.principal,
        turn=UUID(turn) if turn else None,
        request=f"{caller.principal} {request.request_id}" if digest and request else "",
        request_digest=digest,
    )


def place_of(request: "_Placed", expected: int | None = None) -> Place:
    """Returns where a request says that a document is."""
    return Place(collection=request.collection, path=request.path, expected=expected)


class _Placed(Protocol):
    """A request for one document."""

    @property
    def collection(self) -> str: ...

    @property
    def path(self) -> str: ...


def to_new_collection(message: collections_pb.Collection) -> NewCollection:
    """Returns what a collection is to be."""
    return NewCollection(
        name=message.name,
        language=message.language,
        model=message.model,
        max_tokens=message.max_tokens,
        overlap=message.overlap,
        metadata=dict(message.metadata),
    )


def collection_to_wire(collection: Collection) -> collections_pb.Collection:
    """Returns a collection as a message."""
    return collections_pb.Collection(
        name=collection.name,
        language=collection.language,
        model=name_of(collection.model),
        max_tokens=collection.max_tokens,
        overlap=collection.overlap,
        metadata=collection.metadata,
        etag=collection.etag,
        create_time=_time(collection.created),
        update_time=_time(collection.updated),
    )


def migration_to_wire(migration: Migration, advance: Advance | None) -> collections_pb.Migration:
    """Returns a migration, and how much of it is done, as a message."""
    compared = migration.comparison
    return collections_pb.Migration(
        source=name_of(migration.source),
        target=name_of(migration.target),
        state=_MIGRATION_STATES[migration.state],
        done=advance.done if advance else 0,
        total=advance.total if advance else 0,
        failed=advance.failed if advance else 0,
        sample=compared.sample,
        recall=compared.recall,
        agreement=compared.agreement,
        source_hits=compared.source_hits,
        target_hits=compared.target_hits,
        create_time=_time(migration.created),
        end_time=_time(migration.ended) if migration.ended else None,
    )


def document_to_wire(document: Document, collection: str) -> pb.Document:
    """Returns a document of a collection as a message."""
    shape = document.shape
    return pb.Document(
        id=str(document.id),
        collection=collection,
        path=shape.path or "",
        title=shape.title,
        media_type=shape.media_type,
        metadata=shape.metadata,
        revision=document.number,
        size=document.size,
        digest=shape.content.hex(),
        indexing=indexing_to_wire(document.indexing) if document.indexing else None,
        create_time=_time(document.created),
        update_time=_time(document.updated),
    )


def indexing_to_wire(indexing: Indexing) -> pb.Indexing:
    """Returns how far a document is as a message."""
    return pb.Indexing(
        state=_STATES[indexing.state],
        done=indexing.done,
        total=indexing.total,
        embedded=indexing.embedded,
        reason=indexing.reason,
        detail=indexing.detail,
    )


def revision_to_wire(revision: Revision, change: Change, collection: str) -> pb.Revision:
    """Returns a revision, and the change that made it, as a message."""
    shape = revision.shape
    return pb.Revision(
        number=revision.number,
        version=revision.version,
        path=shape.path or "",
        title=shape.title,
        media_type=shape.media_type,
        metadata=shape.metadata,
        digest=shape.content.hex(),
        change=change_to_wire(change, collection),
    )


def change_to_wire(change: Change | None, collection: str) -> pb.Change:
    """Returns a change as a message; one without an id if nothing was done."""
    if change is None:
        return pb.Change(collection=collection)
    return pb.Change(
        id=change.id,
        collection=collection,
        kind=change.kind,
        principal=change.principal,
        turn=str(change.turn or ""),
        reverts=change.reverts or 0,
        documents=_documents_to_wire(change.documents[:SHOWN_DOCUMENTS]),
        folders_made=change.made,
        folders_removed=change.removed,
        time=_time(change.created),
    )


def reversal_to_wire(reversal: Reversal, names: Mapping[UUID, str]) -> pb.Reversal:
    """Returns how the taking back of a change fared as a message."""
    name = names[reversal.change.collection]
    taken_back = reversal.reversal
    return pb.Reversal(
        change=change_to_wire(reversal.change, name),
        outcome=_FATES[reversal.fate],
        reversal=change_to_wire(taken_back, name) if taken_back else None,
        conflicts=[_conflict_to_wire(each) for each in reversal.conflicts],
    )


def _documents_to_wire(changes: Iterable[DocumentChange]) -> list[pb.DocumentChange]:
    return [
        pb.DocumentChange(
            document=str(change.document),
            old_path=change.old_path or "",
            path=change.path or "",
            revision=change.number,
            content_changed=change.content_changed,
        )
        for change in changes
    ]


def _conflict_to_wire(conflict: Conflict) -> pb.ReversalConflict:
    return pb.ReversalConflict(
        path=conflict.path,
        document=str(conflict.document or ""),
        revision=conflict.number,
        reverted_revision=conflict.reverted,
    )


def _time(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp


def expected_of(request: Message) -> int | None:
    """Returns the revision that a request expects, if it says one."""
    return request.expected_revision if request.HasField("expected_revision") else None  # pyright: ignore[reportAttributeAccessIssue] # every caller's message has it
