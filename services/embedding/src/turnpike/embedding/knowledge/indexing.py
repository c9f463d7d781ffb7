"""Making documents searchable: text, chunks, vectors, as jobs that outlive their holders."""

from array import array
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from hashlib import sha256
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.claims import renewing
from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.knowledge import content_rows, index_rows, job_rows, piece_rows
from turnpike.embedding.knowledge.extraction import Extraction
from turnpike.embedding.knowledge.job_rows import Job
from turnpike.embedding.knowledge.model import State
from turnpike.embedding.knowledge.originals import Originals
from turnpike.embedding.knowledge.piece_rows import Piece
from turnpike.embedding.metering import Payer
from turnpike.embedding.model import Chunk, InputEmptyError, Priority
from turnpike.embedding.owing import Owed, owe

GROUP = 32
"""How many chunks are embedded, and kept, together: so many a killed process loses at most."""


class Indexer:
    """Does one job after another; what it did of a job is there for whoever does the rest."""

    def __init__(
        self,
        engine: AsyncEngine,
        embedder: Embedder,
        originals: Originals,
        extraction: Extraction,
    ) -> None:
        self._engine = engine
        self._embedder = embedder
        self._originals = originals
        self._extraction = extraction

    async def run(self, job: Job) -> None:
        """Does a job.

        Raises:
            ClaimLostError: It is somebody else's by now.
            ExtractionError: The document has no text to be had.
            ServiceError: The embedder refuses it, for now or for good.
        """
        async with renewing(lambda: self._renew(job), job.id):
            text = await self._text(job)
            pieces = await self._pieces(job, text)
            await self._embed(job, pieces)
            await self._publish(job, pieces)

    async def end(self, job: Job, reason: str, detail: str) -> None:
        """Says that a job cannot be done; raises `ClaimLostError`."""
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await job_rows.end(connection, job, State.FAILED, reason, detail)

    async def release(self, job: Job, *, seconds: float, counts: bool) -> None:
        """Gives a job back; raises `ClaimLostError`."""
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await job_rows.release(connection, job, seconds=seconds, counts=counts)

    async def _renew(self, job: Job) -> None:
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await job_rows.renew(connection, job)

    async def _text(self, job: Job) -> str:
        async with tenant_transaction(self._engine, job.tenant) as connection:
            content = await content_rows.get(connection, job.tenant, job.content)
            if content.text is not None:
                return content.text
            await job_rows.advance(connection, job, State.EXTRACTING)
        original = await self._originals.whole(content)
        extracted = await self._extraction.text(original, content.media_type)
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await content_rows.set_text(connection, job.tenant, job.content, extracted)
        return extracted

    async def _pieces(self, job: Job, text: str) -> list[Piece]:
        async with tenant_transaction(self._engine, job.tenant) as connection:
            await job_rows.advance(connection, job, State.CHUNKING)
        try:
            chunks = await self._embedder.chunk(
                text,
                model=self._embedder.kept_under(job.model),
                strategy=job.recipe.strategy,
                max_tokens=job.recipe.max_tokens,
                overlap=job.recipe.overlap,
                language=job.recipe.language,
            )
        except InputEmptyError:
            return []
        return [_piece(chunk) for chunk in chunks.items]

    async def _embed(self, job: Job, pieces: Sequence[Piece]) -> None:
        """Gives the document every chunk that it lacks; known vectors are copied."""
        wanted = {piece.digest: piece for piece in pieces}
        done = embedded = 0
        for group in _groups(list(wanted.values())):
            async with tenant_transaction(self._engine, job.tenant) as connection:
                await job_rows.keep_document(connection, job)
                around = await job_rows.circumstances(connection, job)
                known = await piece_rows.known(connection, job, group)
                await piece_rows.copy_chunks(
                    connection, job, around.language, _borrowed(group, known)
                )
                if any(not own for _, own in known.values()):
                    # What was to be copied may have been dropped before it was.
                    again = await piece_rows.known(connection, job, group)
                    known = {digest: found for digest, found in again.items() if found[1]}
                missing = [piece for piece in group if piece.digest not in known]
                done += len(group) - len(missing)
                await self._advance(connection, job, done, embedded, len(wanted))
            if not missing:
                continue
            done, embedded = done + len(missing), embedded + len(missing)
            async with self._embedded(job, around.principal, missing) as (vectors, owed):
                pairs = list(zip(missing, vectors, strict=True))
                async with tenant_transaction(self._engine, job.tenant) as connection:
                    await job_rows.keep_document(connection, job)
                    await piece_rows.insert_chunks(connection, job, around.language, pairs)
                    if owed:
                        await owe(connection, owed)
                    await self._advance(connection, job, done, embedded, len(wanted))

    async def _advance(
        self, connection: AsyncConnection, job: Job, done: int, embedded: int, total: int
    ) -> None:
        await job_rows.advance(
            connection, job, State.EMBEDDING, done=done, embedded=embedded, total=total
        )

    @asynccontextmanager
    async def _embedded(
        self, job: Job, principal: str, pieces: Sequence[Piece]
    ) -> AsyncGenerator[tuple[list[Sequence[float]], Owed | None]]:
        asked = Asked(
            texts=[piece.embedded for piece in pieces],
            model=self._embedder.kept_under(job.model),
            priority=Priority.BULK,
            tenant=str(job.tenant),
            payer=Payer(tenant=str(job.tenant), principal=principal, key="", by_service=True),
        )
        async with self._embedder.keeping(asked) as (embeddings, owed):
            yield [array("f", item.vector).tolist() for item in embeddings.items], owed

    async def _publish(self, job: Job, pieces: Sequence[Piece]) -> None:
        """Has searches find the document by this, if it is what they are to find."""
        async with tenant_transaction(self._engine, job.tenant) as connection:
            # First the document, then its indexing: as whoever writes the document does.
            next_model = await job_rows.lock_document(connection, job)
            await job_rows.end(connection, job, State.READY)
            await piece_rows.place(connection, job, pieces)
            if next_model is not None:
                place = index_rows.Place(
                    tenant=job.tenant,
                    document=job.document,
                    model=job.model,
                    next_model=next_model,
                )
                await index_rows.show(connection, place, job.id)


def _groups(pieces: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    for first in range(0, len(pieces), GROUP):
        yield pieces[first : first + GROUP]


def _borrowed(group: Sequence[Piece], known: dict[bytes, tuple[UUID, bool]]) -> dict[UUID, Piece]:
    """Returns the pieces whose vectors are another document's, by the chunk that has them."""
    return {
        known[piece.digest][0]: piece
        for piece in group
        if piece.digest in known and not known[piece.digest][1]
    }


def _piece(chunk: Chunk) -> Piece:
    return Piece(
        digest=sha256(f"{chunk.header}\0{chunk.text}".encode()).digest(),
        headings=chunk.headings,
        header=chunk.header,
        text=chunk.text,
        tokens=chunk.tokens,
        starts=chunk.start,
        ends=chunk.end,
        first_line=chunk.first_line,
        last_line=chunk.last_line,
    )
