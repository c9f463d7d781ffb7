"""What documents are made of: texts in Postgres, everything else in the blob store."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, replace
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.blobs.model import (
    Blob,
    BlobError,
    BlobStore,
    BlobsUnavailableError,
    BlobTooLargeError,
    Kept,
    parse_key,
)
from turnpike.blobs.whole import put_whole, read_whole
from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.knowledge import content_rows, kinds, leftover_rows
from turnpike.embedding.knowledge.errors import DocumentTooLargeError
from turnpike.embedding.knowledge.leftover_rows import Leftover
from turnpike.embedding.knowledge.model import Content
from turnpike.rpc.errors import InvalidArgumentError, UnavailableError

_IN_THREAD = 1 << 18
"""From how many bytes on hashing and decoding would be felt by others."""

_PART = 1 << 18


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What bytes that come in parts must be."""

    text: int
    """How many a text may have."""

    original: int
    """How many anything else may have."""

    sha256: str = ""
    """What they were announced to be, in hexadecimal digits; empty: anything."""

    def check(self, digest: str) -> None:
        """Raises `InvalidArgumentError` unless they are what was announced."""
        if self.sha256 and self.sha256 != digest:
            raise InvalidArgumentError("sha256", "is that of other bytes")


class Originals:
    """The contents of every tenant's documents."""

    def __init__(self, engine: AsyncEngine, blobs: BlobStore) -> None:
        self._engine = engine
        self._blobs = blobs

    async def kept(self, tenant: UUID, content: bytes, media_type: str) -> Content:
        """Returns a content, whose original is in the blob store by now if it is no text.

        Raises:
            InvalidArgumentError: It cannot be what it says it is.
            UnavailableError: There is no place for originals now.
        """
        if len(content) > _IN_THREAD:
            made = await asyncio.to_thread(_content, content, media_type)
        else:
            made = _content(content, media_type)
        if made.text is not None:
            return made
        async with tenant_transaction(self._engine, tenant) as connection:
            if await content_rows.is_kept(connection, tenant, made.digest):
                return await content_rows.get(connection, tenant, made.digest)

        async def announce(kept: Kept) -> None:
            # Bytes that no document comes to be made of must not stay.
            leftover = Leftover(tenant, made.digest, kept.blob.key)
            async with tenant_transaction(self._engine, tenant) as connection:
                await leftover_rows.note(connection, leftover)

        try:
            # An edition of its own: deleting what another document is made of takes nothing
            # from this one.
            kept = await put_whole(
                self._blobs, tenant, content, edition=uuid4().hex, announce=announce
            )
        except BlobsUnavailableError as error:
            raise UnavailableError(f"the original cannot be kept: {error}") from error
        return replace(made, blob=kept.blob.key)

    async def received(
        self, tenant: UUID, parts: AsyncIterable[bytes], media_type: str, bounds: Bounds
    ) -> Content:
        """Returns a content whose bytes come in parts; in memory is never more than a text.

        Raises:
            InvalidArgumentError: It cannot be what it says it is, or is not what was announced.
            DocumentTooLargeError: There are more bytes than there may be.
            UnavailableError: There is no place for originals now.
        """
        if kinds.is_text(media_type):
            return await self._received_text(tenant, parts, media_type, bounds)
        hashing, edition = hashlib.sha256(media_type.encode() + b"\0"), uuid4().hex

        async def hashed() -> AsyncIterator[bytes]:
            async for part in parts:
                hashing.update(part)
                yield part

        async def announce(kept: Kept) -> None:
            bounds.check(kept.blob.digest)
            leftover = Leftover(tenant, hashing.digest(), kept.blob.key)
            async with tenant_transaction(self._engine, tenant) as connection:
                await leftover_rows.note(connection, leftover)

        try:
            kept = await self._blobs.put(
                tenant, hashed(), limit=bounds.original, edition=edition, announce=announce
            )
        except BlobTooLargeError as error:
            raise DocumentTooLargeError(error.limit) from error
        except BlobsUnavailableError as error:
            raise UnavailableError(f"the original cannot be kept: {error}") from error
        digest = hashing.digest()
        async with tenant_transaction(self._engine, tenant) as connection:
            if await content_rows.is_kept(connection, tenant, digest):
                # These bytes are nobody's then, and are swept.
                return await content_rows.get(connection, tenant, digest)
        return Content(digest=digest, media_type=media_type, size=kept.size, blob=kept.blob.key)

    async def _received_text(
        self, tenant: UUID, parts: AsyncIterable[bytes], media_type: str, bounds: Bounds
    ) -> Content:
        gathered = await _gathered(parts, bounds.text)
        if bounds.sha256:
            bounds.check((await asyncio.to_thread(hashlib.sha256, gathered)).hexdigest())
        return await self.kept(tenant, gathered, media_type)

    async def read(self, content: Content) -> AsyncIterator[bytes]:
        """Yields an original's bytes; raises UnavailableError when there is no getting at them."""
        if not content.blob:
            original = (content.text or "").encode()
            for start in range(0, len(original), _PART):
                yield original[start : start + _PART]
            return
        try:
            async for part in self._blobs.read(_blob_of(content)):
                yield part
        except BlobError as error:
            raise UnavailableError(f"the original cannot be read: {error}") from error

    async def whole(self, content: Content) -> bytes:
        """Returns an original's bytes, checked; raises as `read` does."""
        try:
            return await read_whole(self._blobs, _blob_of(content), limit=content.size)
        except BlobError as error:
            raise UnavailableError(f"the original cannot be read: {error}") from error


async def _gathered(parts: AsyncIterable[bytes], limit: int) -> bytes:
    gathered = bytearray()
    async for part in parts:
        gathered += part
        if len(gathered) > limit:
            raise DocumentTooLargeError(limit)
    return bytes(gathered)


def _blob_of(content: Content) -> Blob:
    blob = parse_key(content.blob)
    if blob is None:
        raise BlobError("the key of the original is none")
    return blob


def _content(content: bytes, media_type: str) -> Content:
    if kinds.is_text(media_type):
        try:
            decoded = content.decode()
        except UnicodeDecodeError as error:
            raise InvalidArgumentError("content", "is no UTF-8, as text has to be") from error
        if "\0" in decoded:
            raise InvalidArgumentError("content", "is no text: it has a NUL in it")
        return text_content(content, media_type, decoded)
    return Content(digest=_digest(content, media_type), media_type=media_type, size=len(content))


def text_content(content: bytes, media_type: str, decoded: str) -> Content:
    """Returns a content that is its own text."""
    return Content(
        digest=_digest(content, media_type),
        media_type=media_type,
        size=len(content),
        text=decoded,
    )


def _digest(content: bytes, media_type: str) -> bytes:
    return hashlib.sha256(media_type.encode() + b"\0" + content).digest()
