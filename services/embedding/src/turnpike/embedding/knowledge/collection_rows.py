"""Collections, as Postgres has them."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import leftover_rows
from turnpike.embedding.knowledge.errors import (
    CollectionExistsError,
    MissingError,
)
from turnpike.embedding.knowledge.model import Collection, NewCollection
from turnpike.rpc.errors import EtagMismatchError, InvalidArgumentError

_IS_LANGUAGE = text("SELECT count(*) FROM pg_ts_config WHERE cfgname = :language")
_INSERT = text(
    "INSERT INTO collections"
    " (tenant, id, name, language, model, max_tokens, overlap, metadata, etag)"
    " VALUES (:tenant, :id, :name, :language, :model, :max_tokens, :overlap,"
    " CAST(:metadata AS jsonb), :etag) RETURNING *"
)
_GET = text("SELECT * FROM collections WHERE tenant = :tenant AND name = :name")
# Whoever writes into a collection does so alone: its paths are one tree.
_LOCK = text("SELECT * FROM collections WHERE tenant = :tenant AND name = :name FOR NO KEY UPDATE")
_LOCK_BY_ID = text(
    "SELECT * FROM collections WHERE tenant = :tenant AND id = :id FOR NO KEY UPDATE"
)
_PAGE = text(
    "SELECT * FROM collections WHERE tenant = :tenant AND name > :after ORDER BY name LIMIT :limit"
)
_UPDATE = text(
    "UPDATE collections SET metadata = CAST(:metadata AS jsonb), etag = :new_etag,"
    " updated = statement_timestamp() WHERE tenant = :tenant AND id = :id"
    " RETURNING *"
)
_LOWER = text(
    "UPDATE holdings SET documents = documents - (SELECT count(*) FROM documents"
    " WHERE tenant = :tenant AND collection = :id AND path IS NOT NULL) WHERE tenant = :tenant"
)
_DELETE = text("DELETE FROM collections WHERE tenant = :tenant AND id = :id")
_NAMES = text("SELECT id, name FROM collections WHERE tenant = :tenant AND id = ANY(:ids)")


async def insert(
    connection: AsyncConnection, tenant: UUID, new: NewCollection, model: str
) -> Collection:
    """Makes a collection whose vectors `model` makes.

    Raises:
        CollectionExistsError: The name is taken.
        InvalidArgumentError: The database does not know the language.
    """
    language = new.language or "simple"
    if not await connection.scalar(_IS_LANGUAGE, {"language": language}):
        raise InvalidArgumentError("collection.language", "is none that the database knows")
    values = {
        "tenant": tenant,
        "id": uuid4(),
        "name": new.name,
        "language": language,
        "model": model,
        "max_tokens": new.max_tokens,
        "overlap": new.overlap,
        "metadata": orjson.dumps(dict(new.metadata)).decode(),
        "etag": uuid4().hex,
    }
    try:
        row = (await connection.execute(_INSERT, values)).one()
    except IntegrityError as error:
        raise CollectionExistsError(new.name) from error
    return _collection(row)


async def get(connection: AsyncConnection, tenant: UUID, name: str) -> Collection:
    """Returns a collection, or raises `MissingError`."""
    return await _one(connection, _GET, name, {"tenant": tenant, "name": name})


async def lock(connection: AsyncConnection, tenant: UUID, name: str) -> Collection:
    """Returns a collection, which nobody else writes into until the transaction ends."""
    return await _one(connection, _LOCK, name, {"tenant": tenant, "name": name})


async def lock_by_id(connection: AsyncConnection, tenant: UUID, identity: UUID) -> Collection:
    """As `lock`."""
    return await _one(connection, _LOCK_BY_ID, identity, {"tenant": tenant, "id": identity})


async def page(
    connection: AsyncConnection, tenant: UUID, *, after: str, limit: int
) -> list[Collection]:
    """Returns collections by name."""
    values = {"tenant": tenant, "after": after, "limit": limit}
    return [_collection(row) for row in await connection.execute(_PAGE, values)]


async def update(
    connection: AsyncConnection, tenant: UUID, name: str, metadata: Mapping[str, str], etag: str
) -> Collection:
    """Changes what a collection says of itself; raises as `delete` does."""
    found = await lock(connection, tenant, name)
    _require(found, etag)
    values = {
        "tenant": tenant,
        "id": found.id,
        "metadata": orjson.dumps(dict(metadata)).decode(),
        "new_etag": uuid4().hex,
    }
    return _collection((await connection.execute(_UPDATE, values)).one())


async def delete(connection: AsyncConnection, tenant: UUID, name: str, etag: str) -> None:
    """Deletes a collection with all that is in it.

    Raises:
        MissingError: There is none.
        EtagMismatchError: It is another by now.
    """
    found = await lock(connection, tenant, name)
    _require(found, etag)
    await leftover_rows.note_collection(connection, tenant, found.id)
    for statement in (_LOWER, _DELETE):
        await connection.execute(statement, {"tenant": tenant, "id": found.id})


async def names(connection: AsyncConnection, tenant: UUID, ids: set[UUID]) -> dict[UUID, str]:
    """Returns collections' names by their ids."""
    rows = await connection.execute(_NAMES, {"tenant": tenant, "ids": list(ids)})
    return {row.id: row.name for row in rows}


async def _one(
    connection: AsyncConnection, statement: Any, name: object, values: dict[str, Any]
) -> Collection:
    row = (await connection.execute(statement, values)).one_or_none()
    if row is None:
        raise MissingError("collection", name)
    return _collection(row)


def _require(found: Collection, etag: str) -> None:
    if etag not in ("", found.etag):
        raise EtagMismatchError(found.etag)


def _collection(row: Any) -> Collection:
    return Collection(
        id=row.id,
        name=row.name,
        language=row.language,
        model=row.model,
        next_model=row.next_model or "",
        max_tokens=row.max_tokens,
        overlap=row.overlap,
        metadata=row.metadata,
        etag=row.etag,
        created=row.created,
        updated=row.updated,
    )
