"""Chunks of a text as rows, and where they are in it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.embedding.knowledge.job_rows import Job

_KNOWN = text(
    "SELECT DISTINCT ON (digest) digest, id, document FROM chunks"
    " WHERE tenant = :tenant AND model = :model AND digest = ANY(:digests)"
    " ORDER BY digest, document <> :document"
)
_INSERT_CHUNK = text("""
INSERT INTO chunks (tenant, id, collection, document, model, digest, headings, header, text,
  tokens, embedding, terms)
VALUES (:tenant, :id, :collection, :document, :model, :digest, :headings, :header, :text,
  :tokens, CAST(CAST(:vector AS real[]) AS vector),
  to_tsvector(CAST(:language AS regconfig), :words))
ON CONFLICT (tenant, document, model, digest) DO NOTHING
""")
_COPY_CHUNK = text("""
INSERT INTO chunks (tenant, id, collection, document, model, digest, headings, header, text,
  tokens, embedding, terms)
SELECT :tenant, :id, :collection, :document, :model, :digest, :headings, :header, :text,
  :tokens, k.embedding, to_tsvector(CAST(:language AS regconfig), :words)
FROM chunks k WHERE k.tenant = :tenant AND k.id = :source
ON CONFLICT (tenant, document, model, digest) DO NOTHING
""")
_IDS = text(
    "SELECT digest, id FROM chunks WHERE tenant = :tenant AND document = :document"
    " AND model = :model AND digest = ANY(:digests)"
)
_INSERT_PASSAGE = text(
    "INSERT INTO passages"
    " (tenant, indexing, position, chunk, starts, ends, first_line, last_line)"
    " VALUES (:tenant, :indexing, :position, :chunk, :starts, :ends, :first_line, :last_line)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A chunk of a text, with all that a search needs of it."""

    digest: bytes
    headings: Sequence[str]
    header: str
    text: str
    tokens: int
    starts: int
    ends: int
    first_line: int
    last_line: int

    @property
    def embedded(self) -> str:
        """What its vector is made from."""
        return self.header + self.text

    @property
    def words(self) -> str:
        """What full text finds it by."""
        return "\n".join((*self.headings, self.header, self.text))


async def known(
    connection: AsyncConnection, job: Job, pieces: Sequence[Piece]
) -> dict[bytes, tuple[UUID, bool]]:
    """Returns chunks whose vectors are known, and whether they are the document's own."""
    values = {
        "tenant": job.tenant,
        "model": job.model,
        "document": job.document,
        "digests": [piece.digest for piece in pieces],
    }
    rows = await connection.execute(_KNOWN, values)
    return {row.digest: (row.id, row.document == job.document) for row in rows}


async def copy_chunks(
    connection: AsyncConnection, job: Job, language: str, pieces: Mapping[UUID, Piece]
) -> None:
    """Gives the document chunks whose vectors another document of the tenant has, by its id."""
    await _insert_chunks(
        connection,
        _COPY_CHUNK,
        [{**_chunk(job, language, piece), "source": source} for source, piece in pieces.items()],
    )


async def insert_chunks(
    connection: AsyncConnection,
    job: Job,
    language: str,
    pieces: Sequence[tuple[Piece, Sequence[float]]],
) -> None:
    """Gives the document chunks with their vectors."""
    await _insert_chunks(
        connection,
        _INSERT_CHUNK,
        [{**_chunk(job, language, piece), "vector": vector} for piece, vector in pieces],
    )


async def place(connection: AsyncConnection, job: Job, pieces: Sequence[Piece]) -> None:
    """Writes where the chunks are in the text."""
    values = {
        "tenant": job.tenant,
        "document": job.document,
        "model": job.model,
        "digests": [piece.digest for piece in pieces],
    }
    ids = {row.digest: row.id for row in await connection.execute(_IDS, values)}
    passages = [
        {
            "tenant": job.tenant,
            "indexing": job.id,
            "position": position,
            "chunk": ids[piece.digest],
            "starts": piece.starts,
            "ends": piece.ends,
            "first_line": piece.first_line,
            "last_line": piece.last_line,
        }
        for position, piece in enumerate(pieces)
    ]
    await _insert(connection, _INSERT_PASSAGE, passages)


def _chunk(job: Job, language: str, piece: Piece) -> dict[str, Any]:
    return {
        "tenant": job.tenant,
        "id": uuid4(),
        "collection": job.collection,
        "document": job.document,
        "model": job.model,
        "digest": piece.digest,
        "headings": list(piece.headings),
        "header": piece.header,
        "text": piece.text,
        "tokens": piece.tokens,
        "language": language,
        "words": piece.words,
    }


async def _insert_chunks(
    connection: AsyncConnection, statement: Any, rows: Sequence[dict[str, Any]]
) -> None:
    # In one order: two jobs of a document have chunks in common, in any order in its texts.
    await _insert(connection, statement, sorted(rows, key=itemgetter("digest")))


async def _insert(
    connection: AsyncConnection, statement: Any, rows: Sequence[dict[str, Any]]
) -> None:
    if rows:
        await connection.execute(statement, rows)
