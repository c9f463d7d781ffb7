"""A table of a hundred thousand chunks, of tenants of every size, as indexing leaves them.

Texts are as long as those of chunks are, and their words as frequent as those of a language.
A vector is that of some topics together, as that of a text is: MiniLM's vectors of sentences
from this repository have a cosine of 0.15 with each other, and of 0.4 with the tenth nearest.
"""

import struct
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import numpy as np

from tests.embedding.serving import single_tokens
from turnpike.embedding.model import Embedding, Embeddings

DIMENSIONS = 384
MODEL = "all-minilm-l6-v2"
_TOPICS = 200
_TOPICS_OF_A_TEXT = 3
_COMMON, _OWN = 0.35, 0.5
"""How long the parts are that all vectors share, and that each has to itself; topics have 1."""

_LONGEST, _SHORTEST = 190, 8
_ROWS = 1000
_COLUMNS = (
    ("tenant", "uuid"), ("id", "uuid"), ("collection", "uuid"), ("document", "uuid"),
    ("model", "text"), ("digest", "bytea"), ("headings", "text[]"), ("header", "text"),
    ("text", "text"), ("tokens", "int"), ("embedding", "vector"), ("live", "bool"),
)  # fmt: skip


class Library:
    """The table, and what is asked of it."""

    def __init__(self, tables: asyncpg.Connection, seed: int) -> None:
        self._tables = tables
        self._chance = np.random.default_rng(seed)
        places = np.random.default_rng(0).normal(size=(_TOPICS + 1, DIMENSIONS))
        places /= np.linalg.norm(places, axis=1, keepdims=True)
        self._topics, self._common = places[1:], places[0]
        self._words = np.array(single_tokens())
        frequencies = 1 / (np.arange(len(self._words)) + 30)
        self._shares = np.cumsum(frequencies / frequencies.sum())

    def vectors(self, count: int) -> Any:
        """Returns vectors of length 1."""
        topics = self._topics[self._chance.integers(_TOPICS, size=(count, _TOPICS_OF_A_TEXT))]
        shares = self._chance.exponential(size=(count, _TOPICS_OF_A_TEXT, 1))
        about = (topics * shares).sum(axis=1)
        about /= np.linalg.norm(about, axis=1, keepdims=True)
        own = self._chance.normal(scale=_OWN / DIMENSIONS**0.5, size=about.shape)
        made = about + own + _COMMON * self._common
        return (made / np.linalg.norm(made, axis=1, keepdims=True)).astype(np.float32)

    def words(self, count: int) -> str:
        """Returns words, the frequent ones more often."""
        places = np.searchsorted(self._shares, self._chance.random(count))
        return " ".join(self._words[np.minimum(places, len(self._words) - 1)])

    def some(self, words: Sequence[str], count: int) -> list[str]:
        """Returns some of several words."""
        return list(self._chance.choice(list(words), size=count))

    async def fill(self, tenant: UUID, count: int) -> None:
        """Gives a tenant a collection of one document with so many chunks."""
        collection, document, indexing = (uuid4() for _ in range(3))
        run = self._tables.execute
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
        await self._tables.set_type_codec(
            "vector", schema="embedding", format="binary", encoder=_packed, decoder=bytes
        )
        for first in range(0, count, _ROWS):
            numbers = range(first, min(count, first + _ROWS))
            await self._insert(tenant, (collection, document, indexing), numbers)

    async def _insert(self, tenant: UUID, ids: Sequence[UUID], numbers: range) -> None:
        collection, document, indexing = ids
        lengths = np.clip(self._chance.lognormal(4, 0.7, len(numbers)), _SHORTEST, _LONGEST)
        chunks = [
            (tenant, uuid4(), collection, document, MODEL, str(number).encode(), [], "",
             self.words(length), length, vector, True)
            for number, length, vector in zip(
                numbers, map(int, lengths), self.vectors(len(numbers)), strict=True)
        ]  # fmt: skip
        names = ", ".join(name for name, _ in _COLUMNS)
        # `terms` may be left out of no row, and are too slow to be made one by one.
        typed = ", ".join(f"${place}::{kind}" for place, (_, kind) in enumerate(_COLUMNS, 1))
        await self._tables.executemany(
            f"INSERT INTO chunks ({names}, terms)"  # names of columns
            f" VALUES ({typed}, to_tsvector('english', $9::text))",
            chunks,
        )
        await self._tables.copy_records_to_table(
            "passages",
            records=[
                (tenant, indexing, number, chunk[1], number, number + 1, 1, 1)
                for number, chunk in zip(numbers, chunks, strict=True)
            ],
        )


class Vectors:
    """In the embedder's place: a question's vector is drawn, and takes no time."""

    def __init__(self) -> None:
        self.next: Any = None

    async def embed(self, asked: Any) -> Embeddings:
        items = [Embedding(vector=self.next.tobytes(), tokens=8, truncated=False)]
        return Embeddings(model=MODEL, dimensions=DIMENSIONS, items=items * len(asked.texts))

    async def count(self, texts: Sequence[str], *, model: str = "") -> list[int]:
        return [1] * len(texts)

    def kept_under(self, model: str) -> str:
        return model


def _packed(vector: Any) -> bytes:
    return struct.pack(">HH", len(vector), 0) + vector.astype(">f4").tobytes()
