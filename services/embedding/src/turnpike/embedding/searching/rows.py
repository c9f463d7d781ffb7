"""What searches read."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.searching.model import Collection, Plan, Result
from turnpike.embedding.searching.statement import Statement

_COLLECTIONS = text(
    "SELECT id, name, language, model, coalesce(next_model, '') AS next_model"
    " FROM collections WHERE tenant = :tenant ORDER BY name"
)
_TODAY = text("SELECT (statement_timestamp() AT TIME ZONE :time_zone)::date")
_COUNT = text(
    "SELECT count(*) FROM (SELECT FROM chunks WHERE live AND tenant = :tenant AND model = :model"
    " LIMIT :most) some_chunks"
)
# An index that is not valid is being built, or was given up.
_INDEXES = text(
    "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = 'chunks'::regclass AND i.indisvalid AND c.relname = ANY(:names)"
)
_SETTINGS = text(
    "SELECT set_config('hnsw.ef_search', '200', true),"
    " set_config('hnsw.iterative_scan', 'relaxed_order', true),"
    " set_config('hnsw.max_scan_tuples', '200000', true)"
)


async def collections(connection: AsyncConnection, tenant: UUID) -> list[Collection]:
    """Returns a tenant's collections."""
    found = await connection.execute(_COLLECTIONS, {"tenant": tenant})
    return [
        Collection(
            id=row.id,
            name=row.name,
            language=row.language,
            model=row.model,
            next_model=row.next_model,
        )
        for row in found
    ]


async def today(connection: AsyncConnection, time_zone: str) -> date:
    """Returns the day that it is in a time zone."""
    return (await connection.execute(_TODAY, {"time_zone": time_zone})).scalar_one()


async def count(connection: AsyncConnection, tenant: UUID, model: str, most: int) -> int:
    """Returns how many vectors a tenant has of a model, up to a number."""
    asked = {"tenant": tenant, "model": model, "most": most}
    return (await connection.execute(_COUNT, asked)).scalar_one()


async def indexes(connection: AsyncConnection, names: Sequence[str]) -> set[str]:
    """Returns which of some indexes of vectors there are."""
    return set((await connection.execute(_INDEXES, {"names": list(names)})).scalars())


async def search(connection: AsyncConnection, statement: Statement, plan: Plan) -> list[Result]:
    """Returns what a statement finds, the best first."""
    if plan is not Plan.EXACT:
        await connection.execute(_SETTINGS)
    asked = text(statement.sql)
    if "metadata" in statement.parameters:
        asked = asked.bindparams(bindparam("metadata", type_=JSONB))
    rows = await connection.execute(asked, statement.parameters)
    return [
        Result(
            document=row.document,
            collection=row.collection,
            model=row.model,
            path=row.path,
            title=row.title,
            revision=row.revision,
            position=row.position,
            text=row.text,
            header=row.header,
            headings=tuple(row.headings),
            start=row.starts,
            end=row.ends,
            first_line=row.first_line,
            last_line=row.last_line,
            score=float(row.score),
            dense_rank=row.dense_rank,
            text_rank=row.text_rank,
            updated=row.updated,
        )
        for row in rows
    ]
