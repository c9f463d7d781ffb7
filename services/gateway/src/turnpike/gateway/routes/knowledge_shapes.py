"""Collections, documents and what became of them, as JSON."""

from typing import Annotated

from pydantic import Base64Bytes, Field, StringConstraints

from turnpike.api.embedding.v1 import collection_service_pb2, document_pb2
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import time_of
from turnpike.gateway.routes.shapes import Instant, Reply, Request, Text, Time

CollectionName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")]
Said = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=128)],
        Annotated[Text, Field(max_length=4096)],
    ],
    Field(max_length=64),
]
Revision0 = Annotated[int, Field(ge=0, lt=2**63)]
_STATES = {
    value: name.removeprefix("INDEXING_STATE_")
    for name, value in document_pb2.IndexingState.items()
}
_MIGRATION_STATES = {
    value: name.removeprefix("MIGRATION_STATE_")
    for name, value in collection_service_pb2.MigrationState.items()
}
_OUTCOMES = {
    value: name.removeprefix("REVERSAL_OUTCOME_")
    for name, value in document_pb2.ReversalOutcome.items()
}


class NewCollection(Request):
    """A collection to make."""

    name: CollectionName
    language: Annotated[str, StringConstraints(pattern=r"^[a-z_]{0,63}$")] = Field(
        default="", description="What full text is searched in: `english`, `german`, `simple` …"
    )
    model: Annotated[Text, Field(max_length=128)] = ""
    max_tokens: Annotated[int, Field(ge=0, lt=2**31)] = 0
    overlap: Annotated[int, Field(ge=0, lt=2**31)] = 0
    metadata: Said = Field(default={})


class CollectionMetadata(Request):
    """What a collection is to say of itself."""

    metadata: Said


class Collection(Reply):
    """Documents that share a language and a model."""

    name: str
    language: str
    model: str
    max_tokens: int
    overlap: int
    metadata: dict[str, str]
    etag: str
    created: Time
    updated: Time


class NewMigration(Request):
    """Which model a collection is to have."""

    model: Annotated[Text, Field(max_length=128)] = Field(
        default="", description="Empty: the default model."
    )


class Migration(Reply):
    """A collection's way to another model's vectors."""

    source: str
    target: str
    state: str = Field(description="`RUNNING REPLACING ACTIVATED ABORTED`.")
    done: int = Field(description="Texts that have the new vectors, former revisions' too.")
    total: int
    failed: int
    sample: int = Field(description="How many questions both models were asked.")
    recall: float = Field(description="What a search finds of the ten nearest by the new vectors.")
    agreement: float = Field(description="How many of the old ten documents are in the new ten.")
    source_hits: float = Field(description="How often the old ten have a question's own document.")
    target_hits: float
    created: Time
    ended: Time | None = Field(description="When the vectors not wanted any more were gone.")


class CollectionPage(Reply):
    """A page of collections, by name."""

    collections: list[Collection]
    next_page_token: str


class Indexing(Reply):
    """How far a document's newest revision has come."""

    state: str = Field(description="`QUEUED EXTRACTING CHUNKING EMBEDDING READY FAILED`.")
    done: int
    total: int
    embedded: int
    reason: str
    detail: str


class Document(Reply):
    """A document as it is now."""

    id: str
    collection: str
    path: str = Field(description="Empty when it is deleted.")
    title: str
    media_type: str
    metadata: dict[str, str]
    revision: int
    size: int
    digest: str
    indexing: Indexing | None
    created: Time
    updated: Time


class DocumentPage(Reply):
    """A page of documents, by path."""

    documents: list[Document]
    next_page_token: str


class FolderPage(Reply):
    """A page of folders, by path."""

    folders: list[str]
    next_page_token: str


class NewDocument(Request):
    """What a document is to be: `text`, or the bytes of a file in base64."""

    text: Text | None = None
    base64: Annotated[Base64Bytes, Field(strict=False)] | None = None
    media_type: Annotated[Text, Field(max_length=127)] = ""
    title: Annotated[Text, Field(max_length=512)] = ""
    metadata: Said = Field(default={})
    expected_revision: Revision0 | None = None


class Edit(Request):
    """A part of a text, and what comes in its place."""

    old_text: Annotated[Text, Field(min_length=1, max_length=1_000_000)]
    new_text: Annotated[Text, Field(max_length=1_000_000)]
    expected_revision: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class Move(Request):
    """Where it is to be."""

    path: Annotated[Text, Field(min_length=1, max_length=1024)]
    expected_revision: Annotated[int, Field(ge=1, lt=2**63)] | None = None


class Return(Request):
    """The revision that a document is to be again."""

    revision: Annotated[int, Field(ge=1, lt=2**63)]
    expected_revision: Revision0 = 0
    force: bool = False


class Reverted(Request):
    """Which changes are to be taken back: those of a turn, of a folder since a moment, or one."""

    collection: Annotated[Text, Field(max_length=63)] = ""
    turn: Annotated[str, StringConstraints(pattern=r"^([0-9a-f-]{36})?$")] = ""
    change: Revision0 = 0
    folder: Annotated[Text, Field(max_length=1024)] = ""
    since: Instant | None = None
    force: bool = False


class Summarize(Request):
    """What to summarize, and how long that may be."""

    revision: Revision0 = 0
    words: Annotated[int, Field(ge=0, le=1000, description="About; 0 for 200.")] = 0


class Summary(Reply):
    """What a document says, in short."""

    summary: str
    digest: str = Field(description="Of the content that it is of.")
    calls: int = Field(description="Of the planner; 0: it was kept.")


class Excerpt(Reply):
    """Lines of a document's text."""

    document: Document
    text: str
    first_line: int
    last_line: int
    lines: int
    truncated: bool


class DocumentChange(Reply):
    """What a change did to one document."""

    document: str
    old_path: str
    path: str
    revision: int
    content_changed: bool


class Change(Reply):
    """What one request did; nothing, if its id is 0."""

    id: int
    collection: str
    kind: str
    principal: str
    turn: str
    reverts: int
    documents: list[DocumentChange]
    folders_made: list[str]
    folders_removed: list[str]
    time: Time | None


class ChangePage(Reply):
    """A page of changes, the newest first."""

    changes: list[Change]
    next_page_token: str


class Written(Reply):
    """A document, and what was done to it."""

    document: Document
    change: Change


class Done(Reply):
    """What was done."""

    change: Change


class Revision(Reply):
    """What a document was after a change."""

    number: int
    version: int = Field(description="The revision whose state this is.")
    path: str
    title: str
    media_type: str
    metadata: dict[str, str]
    digest: str
    change: Change


class RevisionPage(Reply):
    """A page of revisions, the newest first."""

    revisions: list[Revision]
    next_page_token: str


class Diff(Reply):
    """What makes one revision's text another's."""

    diff: str
    truncated: bool


class Conflict(Reply):
    """What stands in the way of taking a change back."""

    path: str
    document: str
    revision: int
    reverted_revision: int


class Reversal(Reply):
    """How the taking back of a change fared."""

    change: Change
    outcome: str = Field(description="`REVERTED UNCHANGED EDITED_SINCE PATH_TAKEN`.")
    reversal: Change | None
    conflicts: list[Conflict]


class Reversals(Reply):
    """How each fared, the newest first."""

    reversals: list[Reversal]


def to_collection(message: collection_service_pb2.Collection) -> Collection:
    """Returns a collection as JSON has it."""
    return Collection(
        name=message.name,
        language=message.language,
        model=message.model,
        max_tokens=message.max_tokens,
        overlap=message.overlap,
        metadata=dict(message.metadata),
        etag=message.etag,
        created=rfc3339(message.create_time),
        updated=rfc3339(message.update_time),
    )


def to_migration(message: collection_service_pb2.Migration) -> Migration:
    """Returns a migration as JSON has it."""
    return Migration(
        source=message.source,
        target=message.target,
        state=_MIGRATION_STATES[message.state],
        done=message.done,
        total=message.total,
        failed=message.failed,
        sample=message.sample,
        recall=message.recall,
        agreement=message.agreement,
        source_hits=message.source_hits,
        target_hits=message.target_hits,
        created=rfc3339(message.create_time),
        ended=time_of(message, "end_time"),
    )


def to_indexing(message: document_pb2.Indexing) -> Indexing:
    """Returns how far a document is as JSON has it."""
    return Indexing(
        state=_STATES[message.state],
        done=message.done,
        total=message.total,
        embedded=message.embedded,
        reason=message.reason,
        detail=message.detail,
    )


def to_document(message: document_pb2.Document) -> Document:
    """Returns a document as JSON has it."""
    return Document(
        id=message.id,
        collection=message.collection,
        path=message.path,
        title=message.title,
        media_type=message.media_type,
        metadata=dict(message.metadata),
        revision=message.revision,
        size=message.size,
        digest=message.digest,
        indexing=to_indexing(message.indexing) if message.HasField("indexing") else None,
        created=rfc3339(message.create_time),
        updated=rfc3339(message.update_time),
    )


def to_change(message: document_pb2.Change) -> Change:
    """Returns a change as JSON has it."""
    return Change(
        id=message.id,
        collection=message.collection,
        kind=message.kind,
        principal=message.principal,
        turn=message.turn,
        reverts=message.reverts,
        documents=[
            DocumentChange(
                document=each.document,
                old_path=each.old_path,
                path=each.path,
                revision=each.revision,
                content_changed=each.content_changed,
            )
            for each in message.documents
        ],
        folders_made=list(message.folders_made),
        folders_removed=list(message.folders_removed),
        time=time_of(message, "time"),
    )


def to_revision(message: document_pb2.Revision) -> Revision:
    """Returns a revision as JSON has it."""
    return Revision(
        number=message.number,
        version=message.version,
        path=message.path,
        title=message.title,
        media_type=message.media_type,
        metadata=dict(message.metadata),
        digest=message.digest,
        change=to_change(message.change),
    )


def to_reversal(message: document_pb2.Reversal) -> Reversal:
    """Returns how the taking back of a change fared as JSON has it."""
    return Reversal(
        change=to_change(message.change),
        outcome=_OUTCOMES[message.outcome],
        reversal=to_change(message.reversal) if message.HasField("reversal") else None,
        conflicts=[
            Conflict(
                path=each.path,
                document=each.document,
                revision=each.revision,
                reverted_revision=each.reverted_revision,
            )
            for each in message.conflicts
        ],
    )
