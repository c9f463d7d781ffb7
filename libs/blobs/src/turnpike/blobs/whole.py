"""Blobs that are small enough to be held whole."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from uuid import UUID

from turnpike.blobs.model import (
    Announce,
    Blob,
    BlobCorruptError,
    BlobStore,
    BlobTooLargeError,
    Kept,
    unannounced,
)


async def put_whole(
    store: BlobStore,
    tenant: UUID,
    content: bytes,
    *,
    edition: str = "",
    announce: Announce = unannounced,
) -> Kept:
    """Keeps bytes that are in memory already."""
    return await store.put(
        tenant, _once(content), limit=len(content), edition=edition, announce=announce
    )


async def read_whole(store: BlobStore, blob: Blob, *, limit: int) -> bytes:
    """Returns all of a blob's bytes, which are those that its digest was taken of.

    Raises:
        BlobTooLargeError: There are more than `limit`.
        BlobCorruptError: They are other bytes.
        BlobNotFoundError: There are none.
    """
    content = bytearray()
    async for chunk in store.read(blob):
        content += chunk
        if len(content) > limit:
            raise BlobTooLargeError(limit)
    whole = bytes(content)
    digest = await asyncio.to_thread(hashlib.sha256, whole)
    if digest.hexdigest() != blob.digest:
        raise BlobCorruptError(f"blob {blob.digest} has other bytes")
    return whole


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
