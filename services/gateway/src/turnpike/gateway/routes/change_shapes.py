"""What became of documents, and what is taken back, as JSON."""

from typing import Annotated

from pydantic import Field, StringConstraints

from turnpike.api.embedding.v1 import document_pb2
from turnpike.gateway.routes.replies import time_of
from turnpike.gateway.routes.shapes import Instant, Reply, Request, Text, Time

_OUTCOMES = {
    value: name.removeprefix("REVERSAL_OUTCOME_")
    for name, value in document_pb2.ReversalOutcome.items()
}


class Reverted(Request):
    """Which changes are to be taken back: those of a turn, of a folder since a moment, or one."""

    collection: Annotated[Text, Field(max_length=63)] = ""
    turn: Annotated[str, StringConstraints(pattern=r"^([0-9a-f-]{36})?$")] = ""
    change: Annotated[int, Field(ge=0, lt=2**63)] = 0
    folder: Annotated[Text, Field(max_length=1024)] = ""
    since: Instant | None = None
    force: bool = False


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
