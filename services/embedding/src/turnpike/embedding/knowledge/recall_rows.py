"""What two models find of one collection."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

NEAREST = 10
_WORDS = 16

# Digests are as good as drawn by lot, and the same chunks are drawn again.
_SAMPLE = text(
    "SELECT document, text FROM chunks WHERE live AND tenant = :tenant"
    " AND collection = :collection AND model = :model ORDER BY digest, id LIMIT :most"
)
# As searches do with an index, and without any: none is of that expression.
_NEAREST = """
SELECT id, document FROM chunks
WHERE live AND tenant = '{tenant}' AND model = :model AND collection = :collection
ORDER BY (embedding::vector({dimensions})
  <=> CAST(CAST(:vector AS text) AS vector({dimensions}))){exactly} LIMIT {most}
"""
_SETTINGS = ("SET LOCAL hnsw.ef_search = 200", "SET LOCAL hnsw.iterative_scan = relaxed_order")


@dataclass(frozen=True, slots=True)
class Probe:
    """A question whose answer is known."""

    document: UUID
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """A collection's vectors of one model."""

    tenant: UUID
    collection: UUID
    model: str


async def sample(connection: AsyncConnection, space: Space, most: int) -> list[Probe]:
    """Returns questions made from documents' own words, and the documents."""
    values = {
        "tenant": space.tenant,
        "collection": space.collection,
        "model": space.model,
        "most": most,
    }
    rows = await connection.execute(_SAMPLE, values)
    return [Probe(row.document, " ".join(row.text.split()[:_WORDS])) for row in rows]


async def nearest(
    connection: AsyncConnection, space: Space, vector: Sequence[float], *, exactly: bool
) -> list[tuple[UUID, UUID]]:
    """Returns the nearest chunks, and their documents: by comparing all, or as searches do."""
    for setting in _SETTINGS:
        await connection.execute(text(setting))
    statement = _NEAREST.format(
        tenant=space.tenant,
        dimensions=len(vector),
        exactly=" + 0" if exactly else "",
        most=NEAREST,
    )
    values = {
        "model": space.model,
        "collection": space.collection,
        "vector": f"[{','.join(map(repr, vector))}]",
    }
    return [(row.id, row.document) for row in await connection.execute(text(statement), values)]
