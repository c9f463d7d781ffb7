"""Searches of tenants of every size: `python -m tests.bench.searching [--small] [--home DIR]`.

One table holds 100,000 chunks of tenants that have 0.1, 1, 10 and 50 % of them, and of one
that has the rest. Recall is that of vectors alone, against all compared; beside it stands what
pgvector does by itself: one index for all, and a filter behind it. Times are of whole searches,
by meaning and by words, of one caller at a time; the question's vector is there already.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.bench.__main__ import Figure
from tests.bench.embedding import p
from tests.bench.library import MODEL, Library, Vectors
from tests.conftest import Schemas
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.engine import open_engine
from turnpike.embedding.index import index
from turnpike.embedding.searching.model import Plan, Question
from turnpike.embedding.searching.search import Search

CHUNKS, QUESTIONS = 100_000, 200
SMALL_CHUNKS, SMALL_QUESTIONS = 5_000, 20
SHARES = (0.001, 0.01, 0.1, 0.5, 0.389)
EXACT_MOST = 5_000
"""Of 100,000 chunks; of fewer in proportion."""

K, WORDS = 10, 5
NOTHING = "zzzz"
"""Words that no chunk has: what is found is found by its vector."""

SERVER = {"shared_buffers": "1GB", "max_wal_size": "4GB", "synchronous_commit": "off"}

_EXACTLY = (
    "SELECT p.position FROM chunks c JOIN passages p ON p.tenant = c.tenant AND p.chunk = c.id"
    " WHERE c.live AND c.tenant = $1 AND c.model = $2"
    " ORDER BY (c.embedding::vector(384) <=> $3::real[]::vector(384)) + 0 LIMIT 10"
)
_BY_DEFAULT = (
    "SELECT p.position FROM (SELECT id FROM chunks WHERE live AND tenant = $1"
    " AND model = 'all-minilm-l6-v2' ORDER BY embedding::vector(384) <=> $2::real[]::vector(384)"
    " LIMIT 10) c JOIN passages p ON p.tenant = $1 AND p.chunk = c.id"
)


@dataclass
class Asked:
    """What searches of one tenant came to."""

    plan: Plan | None = None
    recalls: list[float] = field(default_factory=list[float])
    default: list[float] = field(default_factory=list[float])
    least: int = K
    took: list[float] = field(default_factory=list[float])
    """Milliseconds of whole searches."""

    computed: float = 0
    """Milliseconds that one search computes: here, and in Postgres."""


async def main(chunks: int, questions: int, home: Path) -> None:
    """Measures, and prints the figures."""
    print(f"load of the machine: {os.getloadavg()[0]:.1f}", flush=True)
    with LocalPostgres(home, settings=SERVER) as postgres:
        urls = await Schemas(postgres.url).of("embedding")
        tables = await asyncpg.connect(urls.migration, server_settings={"search_path": "embedding"})
        library, tenants = Library(tables, 7), [UUID(int=n + 1) for n in range(len(SHARES))]
        if not await tables.fetchval("SELECT count(*) FROM chunks"):
            for tenant, share in zip(tenants, SHARES, strict=True):
                await library.fill(tenant, int(chunks * share))
            await tables.execute("VACUUM ANALYZE chunks")
            await tables.execute("VACUUM ANALYZE passages")
        begun, most = time.perf_counter(), EXACT_MOST * chunks // CHUNKS
        made = [line async for line in index(urls, above=most)]
        print(f"{len(made)} indexes: {time.perf_counter() - begun:.0f} s", flush=True)
        async with open_engine(urls.service, pool_size=1) as engine:
            bench = Bench(tables, engine, library, most)
            for tenant, share in zip(tenants[:-1], SHARES, strict=False):
                tell(share, await bench.ask(tenant, questions))
        await by_default(tables, tenants[:-1], library, questions)
        await tables.close()


class Bench:
    """Searches as the service does."""

    def __init__(
        self, tables: asyncpg.Connection, engine: AsyncEngine, library: Library, most: int
    ) -> None:
        self._tables = tables
        self._library = library
        self._vectors = Vectors()
        self._engine = engine
        self._search = Search(self._engine, self._vectors, exact_most=most)  # pyright: ignore[reportArgumentType] # it is asked for no more

    async def ask(self, tenant: UUID, questions: int) -> Asked:
        """Searches one tenant."""
        asked = Asked()
        for vector in self._library.vectors(questions):
            await self._compare(tenant, vector, asked)
        texts = [await self._words_of(tenant) for _ in range(questions)]
        for words in texts[:5]:
            await self._found(tenant, words, self._library.vectors(1)[0])
        before = await self._computed()
        for words, vector in zip(texts, self._library.vectors(questions), strict=True):
            begun = time.perf_counter()
            await self._found(tenant, words, vector)
            asked.took.append((time.perf_counter() - begun) * 1000)
        asked.computed = (await self._computed() - before) / questions
        return asked

    async def _compare(self, tenant: UUID, vector: Any, asked: Asked) -> None:
        best = await self._tables.fetch(_EXACTLY, tenant, MODEL, vector.tolist())
        found = await self._found(tenant, NOTHING, vector)
        asked.plan = found.plan
        asked.least = min(asked.least, len(found.results))
        places = {result.position for result in found.results}
        asked.recalls.append(len(places & {row["position"] for row in best}) / len(best))

    async def _found(self, tenant: UUID, words: str, vector: Any) -> Any:
        self._vectors.next = vector
        return await self._search.search(Question(tenant=tenant, wordings=(words,), limit=K), None)

    async def _words_of(self, tenant: UUID) -> str:
        """Returns words that some chunk of the tenant has."""
        text = await self._tables.fetchval(
            "SELECT text FROM chunks WHERE tenant = $1 ORDER BY md5(id::text || $2) LIMIT 1",
            tenant, self._library.words(1),
        )  # fmt: skip
        return " ".join(self._library.some(text.split(), WORDS))

    async def _computed(self) -> float:
        """Returns how many milliseconds this process and its connection have computed."""
        async with self._engine.connect() as connection:
            pid = (await connection.exec_driver_sql("SELECT pg_backend_pid()")).scalar_one()
        there = Path(f"/proc/{pid}/schedstat").read_text().split()[0]
        return time.process_time() * 1000 + int(there) / 1e6


async def by_default(
    tables: asyncpg.Connection, tenants: Sequence[UUID], library: Library, questions: int
) -> None:
    """Tells what pgvector's one index of all finds, as it comes."""
    await tables.execute(
        "SET maintenance_work_mem = '512MB'; DROP INDEX IF EXISTS chunks_default;"
        " CREATE INDEX chunks_default ON chunks USING hnsw"
        " ((embedding::vector(384)) vector_cosine_ops) WHERE live AND model = 'all-minilm-l6-v2'"
    )
    for tenant, share in zip(tenants, SHARES, strict=False):
        recalls, least = list[float](), K
        for vector in library.vectors(questions):
            best = await tables.fetch(_EXACTLY, tenant, MODEL, vector.tolist())
            await tables.execute("SET enable_sort = off; SET enable_seqscan = off")
            found = await tables.fetch(_BY_DEFAULT, tenant, vector.tolist())
            await tables.execute("RESET enable_sort; RESET enable_seqscan")
            places = {row["position"] for row in best} & {row["position"] for row in found}
            recalls.append(len(places) / len(best))
            least = min(least, len(found))
        recall = sum(recalls) / len(recalls)
        print(Figure(f"pgvector's own, {share:.1%}", f"recall {recall:.2f}, {least} rows at least"))
    await tables.execute("DROP INDEX chunks_default")


def tell(share: float, asked: Asked) -> None:
    """Prints what searches of one tenant came to."""
    recall = sum(asked.recalls) / len(asked.recalls)
    plan = asked.plan.value if asked.plan else ""
    name = f"tenant of {share:.1%}, {plan}"
    found = f"recall {recall:.3f}, {asked.least} rows"
    print(Figure(f"{name}: found", found, goal="≥ 0.95, 10"))
    took = f"p50 {p(50, asked.took):.1f}, p95 {p(95, asked.took):.1f} ms"
    print(Figure(f"{name}: took", took, f"{asked.computed:.1f} ms", "p95 ≤ 15 ms"), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.searching", description=__doc__)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--home", type=Path, help="keep the table there, for the next run")
    given = parser.parse_args()
    size = (SMALL_CHUNKS, SMALL_QUESTIONS) if given.small else (CHUNKS, QUESTIONS)
    with tempfile.TemporaryDirectory() as folder:
        uvloop.run(main(*size, given.home or Path(folder)))
