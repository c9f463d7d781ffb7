"""Where no place for blobs is set."""

from collections.abc import AsyncIterable, AsyncIterator
from datetime import timedelta
from typing import NoReturn
from uuid import UUID

from turnpike.blobs.model import (
    Announce,
    Blob,
    BlobsUnavailableError,
    Kept,
    Listed,
    unannounced,
)


class NoStore:
    """A `BlobStore` where no place is set: it keeps nothing, and says so."""

    async def put(
        self,
        tenant: UUID,
        chunks: AsyncIterable[bytes],
        *,
        limit: int,
        edition: str = "",
        announce: Announce = unannounced,
    ) -> Kept:
        """Raises BlobsUnavailableError, as everything does that needs a place."""
        _refuse()

    async def read(
        self, blob: Blob, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """See `put`."""
        for _ in ():
            yield b""
        _refuse()

    async def size(self, blob: Blob) -> int:
        """See `put`."""
        _refuse()

    async def delete(self, blob: Blob) -> None:
        """See `put`."""
        _refuse()

    async def link(self, blob: Blob, *, name: str, media_type: str, lifetime: timedelta) -> str:
        """See `put`."""
        _refuse()

    async def listed(self, tenant: UUID) -> AsyncIterator[Listed]:
        """See `put`."""
        for each in ():
            yield each
        _refuse()

    async def close(self) -> None:
        """Does nothing."""


def _refuse() -> NoReturn:
    raise BlobsUnavailableError("this deployment has no place for files: BLOBS_URL is not set")
