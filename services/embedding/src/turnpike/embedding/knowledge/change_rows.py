"""Changes, and what documents and folders were after each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import paths
from turnpike.embedding.knowledge.model import (
    Author,
    Change,
    DocumentChange,
    Revision,
)
from turnpike.embedding.knowledge.tree_rows import to_shape

_OPEN = text(
    "INSERT INTO changes"
    " (tenant, collection, kind, principal, turn, request, request_digest, reverts)"
    " VALUES (:tenant, :collection, :kind, :principal, :turn, :request, :request_digest, :reverts)"
    " RETURNING id"
)
_FORGET = text("DELETE FROM changes WHERE tenant = :tenant AND id = :id")
_ASKED = text(
    "SELECT id, collection, request_digest FROM changes"
    " WHERE tenant = :tenant AND request = :request"
)
_REVISE = text(
    "INSERT INTO revisions"
    " (tenant, document, number, change, version, path, title, media_type, metadata, content)"
    " VALUES (:tenant, :document, :number, :change, :version, :path, :title, :media_type,"
    " CAST(:metadata AS jsonb), :content)"
)
_NOTE_FOLDER = text(
    "INSERT INTO folder_changes AS f (tenant, change, path, made)"
    " VALUES (:tenant, :change, :path, :made)"
)
_REVISION = text(
    "SELECT * FROM revisions WHERE tenant = :tenant AND document = :document AND number = :number"
)
_HISTORY = text(
    "SELECT * FROM revisions WHERE tenant = :tenant AND document = :document"
    " AND number < :before ORDER BY number DESC LIMIT :limit"
)
_CHANGES = text("SELECT * FROM changes WHERE tenant = :tenant AND id = ANY(:ids)")
_DOCUMENTS = text("""
SELECT r.change, r.document, r.number, r.path, p.path AS old_path,
  p.content IS DISTINCT FROM r.content AS content_changed
FROM revisions r
LEFT JOIN revisions p ON p.tenant = r.tenant AND p.document = r.document
  AND p.number = r.number - 1
WHERE r.tenant = :tenant AND r.change = ANY(:ids)
ORDER BY r.change, coalesce(r.path, p.path), r.document
""")
_FOLDERS = text(
    "SELECT change, path, made FROM folder_changes"
    " WHERE tenant = :tenant AND change = ANY(:ids) ORDER BY change, path"
)
_FIND = text("""
SELECT c.id FROM changes c
WHERE c.tenant = :tenant AND c.id < :before
  AND (CAST(:collection AS uuid) IS NULL OR c.collection = :collection)
  AND (CAST(:turn AS uuid) IS NULL OR c.turn = :turn)
  AND (CAST(:since AS timestamptz) IS NULL OR c.created > :since)
  AND (:folder = '/'
    OR EXISTS (SELECT FROM folder_changes f WHERE f.tenant = c.tenant AND f.change = c.id
      AND (f.path = :folder OR starts_with(f.path, :within)))
    OR EXISTS (SELECT FROM revisions r
      LEFT JOIN revisions p ON p.tenant = r.tenant AND p.document = r.document
        AND p.number = r.number - 1
      WHERE r.tenant = c.tenant AND r.change = c.id
        AND (starts_with(r.path, :within) OR starts_with(p.path, :within))))
ORDER BY c.id DESC LIMIT :limit
""")

NEWEST = 2**62
"""A number that is higher than any."""


async def open_change(
    connection: AsyncConnection, author: Author, collection: UUID, kind: str, reverts: int | None
) -> int:
    """Begins a change; returns its number."""
    values = {
        "tenant": author.tenant,
        "collection": collection,
        "kind": kind,
        "principal": author.principal,
        "turn": author.turn,
        "request": author.request,
        "request_digest": author.request_digest,
        "reverts": reverts,
    }
    return (await connection.execute(_OPEN, values)).scalar_one()


async def forget(connection: AsyncConnection, tenant: UUID, change: int) -> None:
    """Forgets a change that changed nothing."""
    await connection.execute(_FORGET, {"tenant": tenant, "id": change})


async def asked(connection: AsyncConnection, author: Author) -> tuple[int, bytes] | None:
    """Returns the change that was made under the author's key, and the digest of its request."""
    if not author.request:
        return None
    values = {"tenant": author.tenant, "request": author.request}
    row = (await connection.execute(_ASKED, values)).one_or_none()
    return None if row is None else (row.id, row.request_digest)


async def revise(
    connection: AsyncConnection, tenant: UUID, document: UUID, change: int, revision: Revision
) -> None:
    """Writes a revision."""
    shape = revision.shape
    values = {
        "tenant": tenant,
        "document": document,
        "number": revision.number,
        "change": change,
        "version": revision.version,
        "path": shape.path,
        "title": shape.title,
        "media_type": shape.media_type,
        "metadata": orjson.dumps(dict(shape.metadata), option=orjson.OPT_SORT_KEYS).decode(),
        "content": shape.content,
    }
    await connection.execute(_REVISE, values)


async def note_folder(
    connection: AsyncConnection, tenant: UUID, change: int, path: str, *, made: bool
) -> None:
    """Writes that a change made or removed a folder."""
    values = {"tenant": tenant, "change": change, "path": path, "made": made}
    await connection.execute(_NOTE_FOLDER, values)


async def revision(
    connection: AsyncConnection, tenant: UUID, document: UUID, number: int
) -> Revision | None:
    """Returns a revision of a document."""
    values = {"tenant": tenant, "document": document, "number": number}
    row = (await connection.execute(_REVISION, values)).one_or_none()
    return None if row is None else _revision(row)


async def history(
    connection: AsyncConnection, tenant: UUID, document: UUID, *, before: int, limit: int
) -> list[Revision]:
    """Returns revisions of a document, the newest first."""
    values = {"tenant": tenant, "document": document, "before": before, "limit": limit}
    return [_revision(row) for row in await connection.execute(_HISTORY, values)]


async def changes(
    connection: AsyncConnection, tenant: UUID, ids: Sequence[int]
) -> dict[int, Change]:
    """Returns changes with what they did, by their numbers."""
    values = {"tenant": tenant, "ids": list(ids)}
    documents: dict[int, list[DocumentChange]] = {each: [] for each in ids}
    for row in await connection.execute(_DOCUMENTS, values):
        documents[row.change].append(_document_change(row))
    folders: dict[tuple[int, bool], list[str]] = {}
    for row in await connection.execute(_FOLDERS, values):
        folders.setdefault((row.change, row.made), []).append(row.path)
    return {
        row.id: Change(
            id=row.id,
            collection=row.collection,
            kind=row.kind,
            principal=row.principal,
            turn=row.turn,
            reverts=row.reverts,
            created=row.created,
            documents=tuple(documents[row.id]),
            made=tuple(folders.get((row.id, True), ())),
            removed=tuple(folders.get((row.id, False), ())),
        )
        for row in await connection.execute(_CHANGES, values)
    }


async def find(
    connection: AsyncConnection,
    tenant: UUID,
    *,
    collection: UUID | None,
    folder: str = paths.ROOT,
    turn: UUID | None = None,
    since: datetime | None = None,
    before: int = NEWEST,
    limit: int,
) -> list[int]:
    """Returns the numbers of changes, the newest first."""
    values = {
        "tenant": tenant,
        "collection": collection,
        "folder": folder,
        "within": paths.within(folder),
        "turn": turn,
        "since": since,
        "before": before,
        "limit": limit,
    }
    return list(await connection.scalars(_FIND, values))


def _revision(row: Any) -> Revision:
    return Revision(number=row.number, version=row.version, shape=to_shape(row), change=row.change)


def _document_change(row: Any) -> DocumentChange:
    return DocumentChange(
        document=row.document,
        old_path=row.old_path,
        path=row.path,
        number=row.number,
        content_changed=row.content_changed,
    )
