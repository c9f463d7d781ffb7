"""Documents and folders as they are now."""

from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import paths
from turnpike.embedding.knowledge.errors import MissingError
from turnpike.embedding.knowledge.model import Document, Indexing, Shape, State

# The newest revision's own indexing says how it fares; `d.indexing` is what searches find.
_SELECT = """
SELECT d.id, d.collection, d.path, d.number, d.title, d.media_type, d.metadata, d.content,
  d.created, d.updated, c.size, i.state, i.done, i.total, i.embedded, i.reason, i.detail
FROM documents d
JOIN contents c ON c.tenant = d.tenant AND c.digest = d.content
LEFT JOIN LATERAL (
  SELECT i.* FROM indexings i WHERE i.tenant = d.tenant AND i.document = d.id
    AND i.content = d.content
    AND i.model = (SELECT k.model FROM collections k
      WHERE k.tenant = d.tenant AND k.id = d.collection)
  ORDER BY i.created DESC, i.id DESC LIMIT 1) i ON true
WHERE d.tenant = :tenant
"""
_BY_PATH = text(f"{_SELECT} AND d.collection = :collection AND d.path = :path")
_BY_ID = text(f"{_SELECT} AND d.id = :id")
_BY_ID_THERE = text(f"{_SELECT} AND d.collection = :collection AND d.id = :id")
_BELOW = text(
    f"{_SELECT} AND d.collection = :collection AND starts_with(d.path, :within) ORDER BY d.path"
)
_PAGE = text(
    f"{_SELECT} AND d.collection = :collection AND starts_with(d.path, :within)"
    " AND d.path > :after AND (NOT :shallow OR strpos(substr(d.path, :skipped), '/') = 0)"
    " ORDER BY d.path LIMIT :limit"
)
_INSERT = text(
    "INSERT INTO documents"
    " (tenant, id, collection, path, number, title, media_type, metadata, content)"
    " VALUES (:tenant, :id, :collection, :path, :number, :title, :media_type,"
    " CAST(:metadata AS jsonb), :content)"
)
_UPDATE = text(
    "UPDATE documents SET path = :path, number = :number, title = :title,"
    " media_type = :media_type, metadata = CAST(:metadata AS jsonb), content = :content,"
    " updated = statement_timestamp() WHERE tenant = :tenant AND id = :id"
)
_UNPLACE = text("UPDATE documents SET path = NULL WHERE tenant = :tenant AND id = ANY(:ids)")
_DOCUMENT_AT = text(
    "SELECT path FROM documents WHERE tenant = :tenant AND collection = :collection"
    " AND path = ANY(:paths) ORDER BY path LIMIT 1"
)
_FOLDERS_AT = text(
    "SELECT path FROM folders WHERE tenant = :tenant AND collection = :collection"
    " AND path = ANY(:paths) ORDER BY path"
)
_FOLDERS_BELOW = text(
    "SELECT path FROM folders WHERE tenant = :tenant AND collection = :collection"
    " AND starts_with(path, :within) AND path > :after ORDER BY path LIMIT :limit"
)
_MAKE_FOLDER = text(
    "INSERT INTO folders (tenant, collection, path) VALUES (:tenant, :collection, :path)"
)
_REMOVE_FOLDER = text(
    "DELETE FROM folders WHERE tenant = :tenant AND collection = :collection AND path = :path"
)
_IS_EMPTY = text("""
SELECT NOT EXISTS (SELECT FROM documents WHERE tenant = :tenant AND collection = :collection
    AND starts_with(path, :within))
  AND NOT EXISTS (SELECT FROM folders WHERE tenant = :tenant AND collection = :collection
    AND starts_with(path, :within))
""")

ALL = 1_000_000
"""More folders than there are."""


async def find(
    connection: AsyncConnection, tenant: UUID, collection: UUID, path: str
) -> Document | None:
    """Returns the document at a path."""
    values = {"tenant": tenant, "collection": collection, "path": path}
    return _maybe((await connection.execute(_BY_PATH, values)).one_or_none())


async def get(connection: AsyncConnection, tenant: UUID, collection: UUID, path: str) -> Document:
    """Returns the document at a path, or of an id; raises `MissingError`."""
    try:
        values = {"tenant": tenant, "collection": collection, "id": UUID(path)}
    except ValueError:
        found = await find(connection, tenant, collection, paths.parse(path))
    else:
        found = _maybe((await connection.execute(_BY_ID_THERE, values)).one_or_none())
    if found is None:
        raise MissingError("document", path)
    return found


async def by_id(connection: AsyncConnection, tenant: UUID, document: UUID) -> Document:
    """Returns the document of an id."""
    values = {"tenant": tenant, "id": document}
    return to_document((await connection.execute(_BY_ID, values)).one())


async def below(
    connection: AsyncConnection, tenant: UUID, collection: UUID, folder: str
) -> list[Document]:
    """Returns all documents in a folder and below it, by path."""
    values = {"tenant": tenant, "collection": collection, "within": paths.within(folder)}
    return [to_document(row) for row in await connection.execute(_BELOW, values)]


async def page(
    connection: AsyncConnection,
    tenant: UUID,
    collection: UUID,
    folder: str,
    *,
    shallow: bool,
    after: str,
    limit: int,
) -> list[Document]:
    """Returns documents in a folder by path: `shallow`, those of no folder below it."""
    within = paths.within(folder)
    values = {
        "tenant": tenant,
        "collection": collection,
        "within": within,
        "shallow": shallow,
        "skipped": len(within) + 1,
        "after": after,
        "limit": limit,
    }
    return [to_document(row) for row in await connection.execute(_PAGE, values)]


async def insert(
    connection: AsyncConnection, tenant: UUID, collection: UUID, document: UUID, shape: Shape
) -> None:
    """Makes a document's first row."""
    values = {**_shaped(tenant, document, 1, shape), "collection": collection}
    await connection.execute(_INSERT, values)


async def update(
    connection: AsyncConnection, tenant: UUID, document: UUID, number: int, shape: Shape
) -> None:
    """Makes a document what its new revision says."""
    await connection.execute(_UPDATE, _shaped(tenant, document, number, shape))


async def unplace(connection: AsyncConnection, tenant: UUID, documents: list[UUID]) -> None:
    """Takes documents from their paths, which others of the same change may get."""
    await connection.execute(_UNPLACE, {"tenant": tenant, "ids": documents})


async def document_at(
    connection: AsyncConnection, tenant: UUID, collection: UUID, places: list[str]
) -> str | None:
    """Returns a path of `places` that a document is at."""
    values = {"tenant": tenant, "collection": collection, "paths": places}
    return await connection.scalar(_DOCUMENT_AT, values)


async def folders_at(
    connection: AsyncConnection, tenant: UUID, collection: UUID, places: list[str]
) -> list[str]:
    """Returns the paths of `places` that folders are at."""
    values = {"tenant": tenant, "collection": collection, "paths": places}
    return list(await connection.scalars(_FOLDERS_AT, values))


async def folders_below(
    connection: AsyncConnection,
    tenant: UUID,
    collection: UUID,
    folder: str,
    *,
    after: str = "",
    limit: int = ALL,
) -> list[str]:
    """Returns the folders below a folder by path."""
    values = {
        "tenant": tenant,
        "collection": collection,
        "within": paths.within(folder),
        "after": after,
        "limit": limit,
    }
    return list(await connection.scalars(_FOLDERS_BELOW, values))


async def make_folder(
    connection: AsyncConnection, tenant: UUID, collection: UUID, path: str
) -> None:
    """Makes a folder that is not there."""
    values = {"tenant": tenant, "collection": collection, "path": path}
    await connection.execute(_MAKE_FOLDER, values)


async def remove_folder(
    connection: AsyncConnection, tenant: UUID, collection: UUID, path: str
) -> bool:
    """Removes a folder; says whether it was there."""
    values = {"tenant": tenant, "collection": collection, "path": path}
    return bool((await connection.execute(_REMOVE_FOLDER, values)).rowcount)


async def is_empty(
    connection: AsyncConnection, tenant: UUID, collection: UUID, folder: str
) -> bool:
    """Says whether nothing is in a folder."""
    values = {"tenant": tenant, "collection": collection, "within": paths.within(folder)}
    return bool(await connection.scalar(_IS_EMPTY, values))


def to_shape(row: Any) -> Shape:
    """Returns the shape in a row of a document or revision."""
    return Shape(
        path=row.path,
        title=row.title,
        media_type=row.media_type,
        metadata=row.metadata,
        content=row.content,
    )


def to_document(row: Any) -> Document:
    """Returns a row of `documents` with its content's size and its indexing."""
    return Document(
        id=row.id,
        collection=row.collection,
        number=row.number,
        shape=to_shape(row),
        size=row.size,
        indexing=_indexing(row) if row.state else None,
        created=row.created,
        updated=row.updated,
    )


def _indexing(row: Any) -> Indexing:
    return Indexing(
        state=State(row.state),
        done=row.done,
        total=row.total,
        embedded=row.embedded,
        reason=row.reason,
        detail=row.detail,
    )


def _maybe(row: Any) -> Document | None:
    return None if row is None else to_document(row)


def _shaped(tenant: UUID, document: UUID, number: int, shape: Shape) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": document,
        "number": number,
        "path": shape.path,
        "title": shape.title,
        "media_type": shape.media_type,
        "metadata": orjson.dumps(dict(shape.metadata), option=orjson.OPT_SORT_KEYS).decode(),
        "content": shape.content,
    }
