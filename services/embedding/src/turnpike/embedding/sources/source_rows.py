"""Sources, as Postgres has them."""

from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge import paths
from turnpike.embedding.knowledge.errors import MissingError
from turnpike.embedding.sources.errors import FolderOwnedError
from turnpike.embedding.sources.model import NewSource, Source, Spec
from turnpike.embedding.sources.run_rows import to_run
from turnpike.rpc.errors import EtagMismatchError

_SELECT = (
    "SELECT s.*, k.name AS collection_name, r.id AS r_id, r.state AS r_state,"
    " r.reason AS r_reason, r.detail AS r_detail, r.listed AS r_listed, r.added AS r_added,"
    " r.changed AS r_changed, r.unchanged AS r_unchanged, r.removed AS r_removed,"
    " r.failed AS r_failed, r.skipped AS r_skipped, r.incomplete AS r_incomplete,"
    " r.created AS r_created, r.started AS r_started, r.ended AS r_ended"
    " FROM sources s JOIN collections k ON k.tenant = s.tenant AND k.id = s.collection"
    " LEFT JOIN LATERAL (SELECT * FROM source_runs r WHERE r.tenant = s.tenant"
    " AND r.source = s.id ORDER BY r.id DESC LIMIT 1) r ON true"
    " WHERE s.tenant = :tenant"
)
_GET = text(f"{_SELECT} AND s.name = :name")
_PAGE = text(
    f"{_SELECT} AND s.name > :after AND (:collection = '' OR k.name = :collection)"
    " ORDER BY s.name LIMIT :limit"
)
_LOCK = text("SELECT id FROM sources WHERE tenant = :tenant AND name = :name FOR UPDATE")
_NEIGHBOURS = text(
    "SELECT name, folder FROM sources WHERE tenant = :tenant AND collection = :collection"
    " AND name <> :name ORDER BY name"
)
_INSERT = text(
    "INSERT INTO sources (tenant, id, name, collection, folder, connector, principal, include,"
    " exclude, uris, seconds, paused, overwrites, etag)"
    " VALUES (:tenant, :id, :name, :collection, :folder, :connector, :principal, :include,"
    " :exclude, :uris, :seconds, :paused, :overwrites, :etag)"
    " ON CONFLICT DO NOTHING RETURNING id"
)
_UPDATE = text(
    "UPDATE sources SET connector = :connector, principal = :principal, include = :include,"
    " exclude = :exclude, uris = :uris, seconds = :seconds, paused = :paused,"
    " overwrites = :overwrites, etag = :etag, updated = statement_timestamp()"
    " WHERE tenant = :tenant AND id = :id"
)
_DELETE = text("DELETE FROM sources WHERE tenant = :tenant AND id = :id")


async def find(connection: AsyncConnection, tenant: UUID, name: str) -> Source | None:
    """Returns a source."""
    row = (await connection.execute(_GET, {"tenant": tenant, "name": name})).one_or_none()
    return None if row is None else _source(row)


async def get(connection: AsyncConnection, tenant: UUID, name: str) -> Source:
    """Returns a source, or raises `MissingError`."""
    found = await find(connection, tenant, name)
    if found is None:
        raise MissingError("source", name)
    return found


async def lock(connection: AsyncConnection, tenant: UUID, name: str) -> Source | None:
    """Returns a source that nobody else changes, or claims, until the transaction ends."""
    await connection.execute(_LOCK, {"tenant": tenant, "name": name})
    return await find(connection, tenant, name)


async def page(
    connection: AsyncConnection, tenant: UUID, *, collection: str, after: str, limit: int
) -> list[Source]:
    """Returns sources by name, those of a collection if one is named."""
    values = {"tenant": tenant, "collection": collection, "after": after, "limit": limit}
    return [_source(row) for row in await connection.execute(_PAGE, values)]


async def require_folder(
    connection: AsyncConnection, tenant: UUID, collection: UUID, new: NewSource
) -> None:
    """Returns if a folder of a locked collection is free, else raises `FolderOwnedError`."""
    values = {"tenant": tenant, "collection": collection, "name": new.name}
    for row in await connection.execute(_NEIGHBOURS, values):
        if (
            row.folder == new.folder
            or paths.is_within(row.folder, new.folder)
            or paths.is_within(new.folder, row.folder)
        ):
            raise FolderOwnedError(row.folder, row.name)


async def insert(
    connection: AsyncConnection, tenant: UUID, collection: UUID, new: NewSource, principal: str
) -> UUID | None:
    """Makes a source; returns None if its name was taken meanwhile."""
    values = {
        **_spec_values(tenant, uuid4(), new.spec, principal),
        "name": new.name,
        "collection": collection,
        "folder": new.folder,
    }
    return await connection.scalar(_INSERT, values)


async def update(
    connection: AsyncConnection, tenant: UUID, source: UUID, spec: Spec, principal: str
) -> None:
    """Makes a source read something else."""
    await connection.execute(_UPDATE, _spec_values(tenant, source, spec, principal))


async def delete(connection: AsyncConnection, tenant: UUID, source: UUID) -> None:
    """Deletes a source with its runs and items."""
    await connection.execute(_DELETE, {"tenant": tenant, "id": source})


def require_etag(found: Source, etag: str) -> None:
    """Returns if a source has an etag, or any will do; else raises `EtagMismatchError`."""
    if etag not in ("", found.etag):
        raise EtagMismatchError(found.etag)


def to_spec(row: Any) -> Spec:
    """Returns what a row of `sources` says is read."""
    return Spec(
        connector=row.connector,
        include=tuple(row.include),
        exclude=tuple(row.exclude),
        uris=tuple(row.uris),
        seconds=row.seconds,
        paused=row.paused,
        overwrites=row.overwrites,
    )


def _spec_values(tenant: UUID, source: UUID, spec: Spec, principal: str) -> dict[str, Any]:
    return {
        "tenant": tenant,
        "id": source,
        "connector": spec.connector,
        "principal": principal,
        "include": list(spec.include),
        "exclude": list(spec.exclude),
        "uris": list(spec.uris),
        "seconds": spec.seconds,
        "paused": spec.paused,
        "overwrites": spec.overwrites,
        "etag": uuid4().hex,
    }


def _source(row: Any) -> Source:
    last = to_run(row, "r_") if row.r_id is not None else None
    is_claimed = row.r_state in ("QUEUED", "RUNNING")
    return Source(
        id=row.id,
        name=row.name,
        collection=row.collection_name,
        folder=row.folder,
        spec=to_spec(row),
        principal=row.principal,
        etag=row.etag,
        created=row.created,
        updated=row.updated,
        due=None if is_claimed else row.due_at,
        last_run=last,
    )
