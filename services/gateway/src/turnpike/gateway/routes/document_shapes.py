"""Documents, as JSON."""

from typing import Annotated

from fastapi import Response
from pydantic import Base64Bytes, Field

from turnpike.api.embedding.v1 import document_pb2, document_service_pb2
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.change_shapes import Change, to_change
from turnpike.gateway.routes.collection_shapes import Said
from turnpike.gateway.routes.replies import reply
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

Revision0 = Annotated[int, Field(ge=0, lt=2**63)]
_STATES = {
    value: name.removeprefix("INDEXING_STATE_")
    for name, value in document_pb2.IndexingState.items()
}


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


class Written(Reply):
    """A document, and what was done to it."""

    document: Document
    change: Change


class Done(Reply):
    """What was done."""

    change: Change


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


def written(response: document_service_pb2.PutDocumentResponse) -> Response:
    """Returns a document, and what was done to it."""
    document = to_document(response.document)
    return reply(
        Written(document=document, change=to_change(response.change)),
        headers={"etag": f'"{document.revision}"'},
    )
