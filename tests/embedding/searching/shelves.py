"""Documents written straight into the tables, as indexing leaves them."""

import hashlib
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.embedding.serving import encoder, settings_for
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls
from turnpike.embedding.backends import minilm
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.metering import Meter
from turnpike.embedding.opening import open_embedder
from turnpike.embedding.searching.model import Filter, Found, Question
from turnpike.embedding.searching.search import Search

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Sheet:
    """A document of one chunk for each text."""

    path: str
    texts: Sequence[str]
    media_type: str = "text/markdown"
    metadata: dict[str, str] = field(default_factory=dict[str, str])
    updated: datetime = NOW
    vectors: Sequence[Sequence[float]] = ()
    """Instead of those of the model."""


@dataclass(frozen=True)
class Shelf:
    """A collection of a tenant's own."""

    tables: asyncpg.Connection
    embedder: Embedder
    tenant: UUID
    id: UUID
    name: str
    language: str

    async def add(self, *sheets: Sheet) -> dict[str, UUID]:
        """Adds documents; returns their ids by their paths."""
        ids = {sheet.path: uuid4() for sheet in sheets}
        texts = [text for sheet in sheets if not sheet.vectors for text in sheet.texts]
        made = iter(await self._embedded(texts))
        for sheet in sheets:
            vectors = sheet.vectors or [next(made) for _ in sheet.texts]
            await self._insert(ids[sheet.path], sheet, vectors)
        return ids

    async def _embedded(self, texts: Sequence[str]) -> list[Sequence[float]]:
        if not texts:
            return []
        embeddings = await self.embedder.embed(Asked(texts=texts, tenant=str(self.tenant)))
        return [memoryview(each.vector).cast("f").tolist() for each in embeddings.items]

    async def _insert(self, document: UUID, sheet: Sheet, vectors: Any) -> None:
        run, indexing, digest = self.tables.execute, uuid4(), document.bytes
        whole = "\n".join(sheet.texts)
        await run(
            "INSERT INTO contents (tenant, digest, media_type, size, blob, text)"
            " VALUES ($1, $2, $3, $4, '', $5)",
            self.tenant, digest, sheet.media_type, len(whole), whole,
        )  # fmt: skip
        await run(
            "INSERT INTO documents (tenant, id, collection, path, number, title, media_type,"
            " metadata, content, indexing, updated)"
            " VALUES ($1, $2, $3, $4, 1, $4, $5, $6, $7, $8, $9)",
            self.tenant, document, self.id, sheet.path, sheet.media_type,
            _json(sheet.metadata), digest, indexing, sheet.updated,
        )  # fmt: skip
        change = await self.tables.fetchval(
            "INSERT INTO changes (tenant, collection, kind, principal) VALUES ($1, $2, 'PUT', '')"
            " RETURNING id",
            self.tenant, self.id,
        )  # fmt: skip
        await run(
            "INSERT INTO revisions (tenant, document, number, change, version, path, title,"
            " media_type, metadata, content) VALUES ($1, $2, 1, $3, 1, $4, $4, $5, '{}', $6)",
            self.tenant, document, change, sheet.path, sheet.media_type, digest,
        )  # fmt: skip
        await run(
            "INSERT INTO indexings (tenant, id, collection, document, content, recipe, model,"
            " state) VALUES ($1, $2, $3, $4, $5, '', $6, 'READY')",
            self.tenant, indexing, self.id, document, digest, minilm.NAME,
        )  # fmt: skip
        await self._insert_chunks(document, indexing, sheet, vectors)

    async def _insert_chunks(
        self, document: UUID, indexing: UUID, sheet: Sheet, vectors: Any
    ) -> None:
        chunks, passages, start = list[Any](), list[Any](), 0
        for position, (text, vector) in enumerate(zip(sheet.texts, vectors, strict=True)):
            chunk = uuid4()
            digest = hashlib.sha256(f"{position}:{text}".encode()).digest()
            chunks.append(
                (self.tenant, chunk, self.id, document, minilm.NAME, digest, text,
                 str(list(vector)), self.language)
            )  # fmt: skip
            end = start + len(text)
            line = position + 1
            passages.append((self.tenant, indexing, position, chunk, start, end, line))
            start = end + 1
        await self.tables.executemany(
            "INSERT INTO chunks (tenant, id, collection, document, model, digest, headings,"
            " header, text, tokens, embedding, terms, live) VALUES ($1, $2, $3, $4, $5, $6, '{}',"
            " '', $7, 1, $8::text::vector, to_tsvector($9::text::regconfig, $7), true)",
            chunks,
        )
        await self.tables.executemany(
            "INSERT INTO passages (tenant, indexing, position, chunk, starts, ends, first_line,"
            " last_line) VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
            passages,
        )


@dataclass(frozen=True)
class Library:
    """Searches, and shelves to search."""

    tables: asyncpg.Connection
    engine: AsyncEngine
    embedder: Embedder
    urls: MigrationUrls

    async def shelf(
        self, name: str = "papers", *, tenant: UUID | None = None, language: str = "english"
    ) -> Shelf:
        """Makes a collection, of a new tenant if none is given."""
        tenant, identity = tenant or uuid4(), uuid4()
        await self.tables.execute(
            "INSERT INTO collections (tenant, id, name, language, model, etag)"
            " VALUES ($1, $2, $3, $4, $5, '')",
            tenant, identity, name, language, minilm.NAME,
        )  # fmt: skip
        return Shelf(self.tables, self.embedder, tenant, identity, name, language)

    async def search(
        self,
        tenant: UUID,
        *wordings: str,
        exact_most: int = 10_000,
        limit: int = 10,
        max_tokens: int = 0,
        recent: bool = False,
        read_time: bool = False,
        **conditions: Any,
    ) -> Found:
        """Searches as a tenant."""
        question = Question(
            tenant=tenant,
            wordings=wordings,
            filter=Filter(**conditions),
            limit=limit,
            max_tokens=max_tokens,
            recent=recent,
            read_time=read_time,
        )
        search = Search(self.engine, self.embedder, exact_most=exact_most)
        return await search.search(question, None)


@asynccontextmanager
async def library(urls: MigrationUrls, meter: Meter) -> AsyncGenerator[Library]:
    """Opens a library on a migrated schema."""
    tables = await asyncpg.connect(urls.migration, server_settings={"search_path": "embedding"})
    try:
        async with (
            open_engine(urls.service) as engine,
            open_embedder(settings_for(), meter, load_encoder=encoder) as embedder,
        ):
            yield Library(tables, engine, embedder, urls)
    finally:
        await tables.close()


def _json(value: dict[str, str]) -> str:
    import json

    return json.dumps(value)
