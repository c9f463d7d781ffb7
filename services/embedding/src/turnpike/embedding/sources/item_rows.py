"""Items of sources, as Postgres has them."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.sources.model import Begun, Item, ItemState, Job

_ALL = text("SELECT * FROM source_items WHERE tenant = :tenant AND source = :source")
_PAGE = text(
    "SELECT * FROM source_items WHERE tenant = :tenant AND source = :source AND uri > :after"
    " AND (:state = '' OR state = :state) ORDER BY uri LIMIT :limit"
)
_PUT = text(
    "INSERT INTO source_items AS i (tenant, source, uri, path, document, version, mark, digest,"
    " state, reason, detail, run)"
    " VALUES (:tenant, :source, :uri, :path, :document, :version, :mark, :digest, :state,"
    " :reason, :detail, :run)"
    " ON CONFLICT (tenant, source, uri) DO UPDATE SET document = excluded.document,"
    " version = excluded.version, mark = excluded.mark, digest = excluded.digest,"
    " state = excluded.state, reason = excluded.reason, detail = excluded.detail,"
    " run = excluded.run, updated = statement_timestamp()"
)


async def of_source(connection: AsyncConnection, tenant: UUID, source: UUID) -> dict[str, Item]:
    """Returns all items of a source by their URIs."""
    rows = await connection.execute(_ALL, {"tenant": tenant, "source": source})
    return {row.uri: _item(row) for row in rows}


async def page(
    connection: AsyncConnection,
    tenant: UUID,
    source: UUID,
    *,
    state: ItemState | None,
    after: str,
    limit: int,
) -> list[Item]:
    """Returns items by URI, those that fare so if a state is named."""
    values = {
        "tenant": tenant,
        "source": source,
        "state": state.value if state else "",
        "after": after,
        "limit": limit,
    }
    return [_item(row) for row in await connection.execute(_PAGE, values)]


async def put(connection: AsyncConnection, job: Job, run: Begun, item: Item) -> None:
    """Writes how an item fares, in a transaction that holds the claim."""
    values = {
        "tenant": job.tenant,
        "source": job.source,
        "uri": item.uri,
        "path": item.path,
        "document": item.document,
        "version": item.version,
        "mark": item.mark,
        "digest": item.digest,
        "state": item.state.value,
        "reason": item.reason,
        "detail": item.detail[:1000],
        "run": run.id,
    }
    await connection.execute(_PUT, values)


def _item(row: Any) -> Item:
    return Item(
        uri=row.uri,
        path=row.path,
        state=ItemState(row.state),
        document=row.document,
        version=row.version,
        mark=row.mark,
        digest=row.digest,
        reason=row.reason,
        detail=row.detail,
        run=row.run,
        updated=row.updated,
    )
