"""Indexes of vectors: one for each tenant that is large, and one for all of a model."""

from collections.abc import AsyncGenerator, Mapping
from hashlib import sha256
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.searching.statement import quoted

PREFIX = "chunks_vectors_"

_LARGE = text(
    "SELECT tenant, model, max(vector_dims(embedding)) AS dimensions FROM chunks WHERE live"
    " GROUP BY tenant, model HAVING count(*) > :most ORDER BY tenant, model"
)
_PRESENT = text(
    "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
    " WHERE i.indrelid = 'chunks'::regclass AND starts_with(c.relname, :prefix)"
)
_LARGEST = 4000
"""How many dimensions an index of vectors may have."""

_BUILT = "WITH (m = 24, ef_construction = 200)"
"""pgvector's own 16 and 64 find two thirds of what is nearest among 50,000 in close clusters."""


def tenant_name(tenant: UUID, model: str) -> str:
    """Returns the name of the index that is a tenant's own."""
    return PREFIX + sha256(f"{tenant}:{model}:{_BUILT}".encode()).hexdigest()[:24]


def shared_name(model: str) -> str:
    """Returns the name of the index of all tenants' vectors of a model."""
    return PREFIX + sha256(f"{model}:{_BUILT}".encode()).hexdigest()[:24]


async def needed_indexes(system: AsyncConnection, *, most: int) -> dict[str, str]:
    """Returns the definitions of the indexes that are needed, by their names.

    Args:
        system: As the system role, which sees every tenant.
        most: Up to how many vectors of a tenant are all compared: beyond, it gets an index.
    """
    wanted = dict[str, str]()
    for row in await system.execute(_LARGE, {"most": most}):
        if row.dimensions > _LARGEST:
            continue
        vectors = (
            f"ON chunks USING hnsw ((embedding::halfvec({row.dimensions})) halfvec_cosine_ops)"
            f" {_BUILT} WHERE live AND model = {quoted(row.model)}"
        )
        wanted[shared_name(row.model)] = vectors
        wanted[tenant_name(row.tenant, row.model)] = f"{vectors} AND tenant = '{row.tenant}'"
    return wanted


async def make_indexes(
    owner: AsyncConnection, wanted: Mapping[str, str], *, memory_megabytes: int
) -> AsyncGenerator[str]:
    """Makes the indexes that are not there, and drops those that are not wanted.

    Writing goes on meanwhile. What a call that was killed left unfinished is made anew.

    Args:
        owner: As the schema's owner, in no transaction. Nor may the caller have another
            open: the index would wait for its end.
        wanted: Their definitions, by their names.
        memory_megabytes: How much of Postgres' memory one may take while it is made: beyond
            that it takes several times as long.

    Yields:
        What was done, a line for each index.
    """
    await owner.execute(text(f"SET maintenance_work_mem = '{memory_megabytes}MB'"))
    rows = await owner.execute(_PRESENT, {"prefix": PREFIX})
    present = {row.relname: row.indisvalid for row in rows}
    for name, valid in present.items():
        if name not in wanted or not valid:
            await owner.execute(text(f"DROP INDEX CONCURRENTLY IF EXISTS {name}"))
            yield f"dropped {name}"
    for name, definition in wanted.items():
        if not present.get(name):
            await owner.execute(text(f"CREATE INDEX CONCURRENTLY {name} {definition}"))
            yield f"made {name}"
