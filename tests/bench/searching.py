"""Searches of tenants of every size: `python -m tests.bench.searching [--chunks N]`.

One table holds 100,000 chunks of tenants that have 0.1, 1, 10 and 50 % of them, and of one
that has the rest. Vectors are clustered, as those of texts are. Beside it stands what
pgvector does by itself: one index for all, and a filter behind it.
"""

import argparse
import asyncio
import math
import os
import random
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bench.__main__ import Figure
from tests.bench.embedding import p
from tests.conftest import Schemas
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.engine import open_engine
from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.index import index
from turnpike.embedding.searching import rows
from turnpike.embedding.searching.indexes import shared_name, tenant_name
from turnpike.embedding.searching.model import Collection, Filter, Plan
from turnpike.embedding.searching.statement import Statement, Wording

DIMENSIONS = 384
CLUSTERS = 200
MODEL = "all-minilm-l6-v2"
SHARES = (0.001, 0.01, 0.1, 0.5)
EXACT_MOST = 10_000
"""Of 100,000 chunks; of fewer in proportion."""

K = 10
_WORDS = ("toll", "road", "bridge", "fee", "lorry", "ferry", "gate", "lane", "map", "rule")

_EXACTLY = (
    "SELECT id FROM chunks WHERE live AND tenant = $1 AND model = $2"
    " ORDER BY (embedding::vector(384) <=> $3::text::vector(384)) + 0 LIMIT 10"
)
_BY_DEFAULT = (
    "SELECT id FROM chunks WHERE live AND tenant = $1 AND model = 'all-minilm-l6-v2'"
    " ORDER BY embedding::vector(384) <=> $2::text::vector(384) LIMIT 10"
)


class Chunks:
    """The table, and the questions."""

    def __init__(self, connection: asyncpg.Connection, chance: random.Random) -> None:
        self._connection = connection
        self._chance = chance
        self._centres = [[chance.gauss(0, 1) for _ in range(DIMENSIONS)] for _ in range(CLUSTERS)]

    def vector(self) -> list[float]:
        """Returns a vector near one of the centres, of length 1."""
        centre = self._chance.choice(self._centres)
        values = [value + self._chance.gauss(0, 0.5) for value in centre]
        length = math.sqrt(sum(value * value for value in values))
        return [value / length for value in values]

    async def fill(self, tenant: UUID, count: int) -> Collection:
        """Gives a tenant a collection of one document with so many chunks."""
        ids, run = [uuid4() for _ in range(3)], self._connection.execute
        collection, document, indexing = ids
        await run(
            "INSERT INTO collections (tenant, id, name, language, model, etag)"
            " VALUES ($1, $2, 'c', 'english', $3, '')", tenant, collection, MODEL,
        )  # fmt: skip
        await run(
            "INSERT INTO documents (tenant, id, collection, path, number, title, media_type,"
            " metadata, content, indexing) VALUES ($1, $2, $3, '/d', 1, '', '', '{}', '', $4)",
            tenant, document, collection, indexing,
        )  # fmt: skip
        await run(
            "INSERT INTO indexings (tenant, id, collection, document, content, recipe, model,"
            " state) VALUES ($1, $2, $3, $4, '', '', $5, 'READY')",
            tenant, indexing, collection, document, MODEL,
        )  # fmt: skip
        for first in range(0, count, 1000):
            await self._insert(tenant, ids, range(first, min(count, first + 1000)))
        return Collection(id=collection, name="c", language="english", model=MODEL)

    async def _insert(self, tenant: UUID, ids: Sequence[UUID], numbers: range) -> None:
        collection, document, indexing = ids
        made = [(number, uuid4(), self._text(), str(self.vector())) for number in numbers]
        await self._connection.executemany(
            "INSERT INTO chunks (tenant, id, collection, document, model, digest, headings, header,"
            " text, tokens, embedding, terms, live) VALUES ($1, $2, $3, $4, $5, $6::text::bytea,"
            " '{}', '', $7, 1, $8::text::vector, to_tsvector('english', $7), true)",
            [
                (tenant, chunk, collection, document, MODEL, str(number), text, vector)
                for number, chunk, text, vector in made
            ],
        )
        await self._connection.executemany(
            "INSERT INTO passages (tenant, indexing, position, chunk, starts, ends, first_line,"
            " last_line) VALUES ($1, $2, $3, $4, 0, 1, 1, 1)",
            [(tenant, indexing, number, chunk) for number, chunk, _, _ in made],
        )

    def _text(self) -> str:
        return " ".join(
            f"{self._chance.choice(_WORDS)}{self._chance.randrange(500)}" for _ in "12345678"
        )


async def main(chunks: int, questions: int) -> None:
    """Measures, and prints the figures."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as home, LocalPostgres(Path(home)) as postgres:
        urls = await Schemas(postgres.url).of("embedding")
        connection = await asyncpg.connect(
            urls.migration, server_settings={"search_path": "embedding"}
        )
        engine, table = open_engine(urls.service), Chunks(connection, random.Random(7))
        tenants = {share: uuid4() for share in SHARES}
        searched = {
            share: await table.fill(tenant, int(chunks * share))
            for share, tenant in tenants.items()
        }
        await table.fill(uuid4(), int(chunks * (1 - sum(SHARES))))
        begun, most = time.perf_counter(), EXACT_MOST * chunks // 100_000
        async for line in index(urls, above=most):
            print(line)
        await connection.execute("ANALYZE chunks")
        print(f"indexes: {time.perf_counter() - begun:.0f} s")
        for share, tenant in tenants.items():
            asked = [table.vector() for _ in range(questions)]
            where = searched[share]
            print(await figure(engine, connection, tenant, where, share, asked, most))
        await engine.dispose()
        await connection.close()


async def figure(
    engine: AsyncEngine,
    connection: asyncpg.Connection,
    tenant: UUID,
    collection: Collection,
    share: float,
    asked: Sequence[Sequence[float]],
    most: int,
) -> Figure:
    """Searches one tenant, our way and pgvector's."""
    recalls, took, default, least = list[float](), list[float](), list[float](), K
    plan = Plan.EXACT
    for vector in asked:
        best = {row["id"] for row in await connection.fetch(_EXACTLY, tenant, MODEL, str(vector))}
        begun = time.perf_counter()
        plan, found = await _search(engine, tenant, collection, vector, most)
        took.append((time.perf_counter() - begun) * 1000)
        places = {row["position"] for row in await connection.fetch(_PLACES, tenant, list(best))}
        recalls.append(len(places & set(found)) / len(best))
        least = min(least, len(found))
        there = await connection.fetch(_BY_DEFAULT, tenant, str(vector))
        default.append(len(best & {row["id"] for row in there}) / len(best))
    recall, beside = sum(recalls) / len(recalls), sum(default) / len(default)
    told = f"recall {recall:.2f}, {least} rows at least, p95 {p(95, took):.1f} ms"
    return Figure(
        f"tenant of {share:.1%}, {plan.value}",
        f"{told} (pgvector alone: recall {beside:.2f})",
        goal="≥ 0.95, 10, ≤ 15 ms",
    )


_PLACES = "SELECT position FROM passages WHERE tenant = $1 AND chunk = ANY($2)"


async def _search(
    engine: AsyncEngine, tenant: UUID, collection: Collection, vector: Sequence[float], most: int
) -> tuple[Plan, list[int]]:
    """Searches by meaning alone, as `Search` does; words would hide what the index misses."""
    async with tenant_transaction(engine, tenant) as connection:
        count = await rows.count(connection, tenant, MODEL, most + 1)
        names = tenant_name(tenant, MODEL), shared_name(MODEL)
        there = await rows.indexes(connection, names)
        plan = Plan.EXACT
        if count > most and there:
            plan = Plan.PARTIAL_INDEX if names[0] in there else Plan.ITERATIVE
        statement = Statement(
            tenant,
            [collection],
            [Wording("zzzz", {MODEL: vector})],
            Filter(),
            plan=plan,
            limit=K,
            recent=False,
        )
        return plan, [result.position for result in await rows.search(connection, statement, plan)]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.searching", description=__doc__)
    parser.add_argument("--chunks", type=int, default=100_000)
    parser.add_argument("--questions", type=int, default=100)
    given = parser.parse_args()
    asyncio.run(main(given.chunks, given.questions))
