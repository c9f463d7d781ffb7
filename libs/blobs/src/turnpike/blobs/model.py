"""What a blob is, what a store promises, and how it fails."""

import re
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

CHUNK = 256 * 1024
"""How many bytes are read, and held, at a time."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_EDITION = re.compile(r"[0-9a-z-]{0,64}")
_KEY = re.compile(
    r"(?P<tenant>[0-9a-f-]{36})/[0-9a-f]{2}/(?P<digest>[0-9a-f]{64})(\.(?P<edition>[0-9a-z-]+))?"
)


@dataclass(frozen=True, slots=True)
class Blob:
    """Where some bytes are: they never change, since their digest is part of it."""

    tenant: UUID
    digest: str
    """SHA-256 of the bytes, in lower-case hexadecimal digits."""

    edition: str = ""
    """Whose they are, where each holder keeps bytes of its own: deleting one's takes nobody
    else's. Without it, whoever keeps the same bytes for a tenant shares them."""

    def __post_init__(self) -> None:
        if not _DIGEST.fullmatch(self.digest) or not _EDITION.fullmatch(self.edition):
            raise ValueError(f"no digest and edition: {self.digest!r}, {self.edition!r}")

    @property
    def key(self) -> str:
        """Its name in a store: nothing in it is of a caller's choice."""
        edition = f".{self.edition}" if self.edition else ""
        return f"{self.tenant}/{self.digest[:2]}/{self.digest}{edition}"


def parse_key(key: str) -> Blob | None:
    """Returns the blob that has this `key`; None: it is nothing of ours."""
    match = _KEY.fullmatch(key)
    if match is None:
        return None
    return Blob(UUID(match["tenant"]), match["digest"], match["edition"] or "")


@dataclass(frozen=True, slots=True)
class Kept:
    """What `BlobStore.put` kept."""

    blob: Blob
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One blob of a listing."""

    blob: Blob
    modified: datetime


class BlobError(Exception):
    """A blob that cannot be kept or read."""


class BlobNotFoundError(BlobError):
    """There is no such blob."""


class BlobTooLargeError(BlobError):
    """There are more bytes than may be kept."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"longer than {limit} bytes")
        self.limit = limit


class BlobRangeError(BlobError):
    """The range begins behind the blob's end."""


class BlobCorruptError(BlobError):
    """The bytes are not those that were kept."""


class BlobsUnavailableError(BlobError):
    """The store does not answer, or refuses; the same call may succeed later."""


class LinkError(BlobError):
    """The link is no link of ours, or has expired."""


Announce = Callable[[Kept], Awaitable[None]]
"""Told of a blob when all of its bytes have come, before any of them is to be found: whoever must
know of bytes that it may not live to see kept writes it down here. What it raises ends `put`."""


async def unannounced(kept: Kept) -> None:
    """Tells nobody."""


class BlobStore(Protocol):
    """Keeps blobs; every method may raise BlobsUnavailableError.

    A store is used by one event loop.
    """

    async def put(
        self,
        tenant: UUID,
        chunks: AsyncIterable[bytes],
        *,
        limit: int,
        edition: str = "",
        announce: Announce = unannounced,
    ) -> Kept:
        """Keeps all of `chunks`, or nothing: not a byte is to be seen before the last one came.

        The same bytes may be kept any number of times. Memory is bounded by a chunk.

        Raises:
            BlobTooLargeError: There are more than `limit` bytes; no more than that were taken.
        """
        ...

    def read(self, blob: Blob, start: int = 0, end: int | None = None) -> AsyncIterator[bytes]:
        """Yields the bytes from `start` to before `end` (to the blob's, if that is sooner).

        Raises:
            BlobNotFoundError: There is no such blob.
            BlobRangeError: `start` is neither 0 nor within the blob, or `end` is not behind it.
        """
        ...

    async def size(self, blob: Blob) -> int:
        """Returns how many bytes there are; raises BlobNotFoundError."""
        ...

    async def delete(self, blob: Blob) -> None:
        """Forgets the blob; harmless when there is none. Reads under way may end short in S3."""
        ...

    async def link(self, blob: Blob, *, name: str, media_type: str, lifetime: timedelta) -> str:
        """Returns where a browser gets the bytes without a credential, until `lifetime` is over.

        They are offered as an attachment called `name`. A folder's link is a path of the gateway.
        Whether there is such a blob is not looked up.
        """
        ...

    def listed(self, tenant: UUID) -> AsyncIterator[Listed]:
        """Yields the tenant's blobs, in no order."""
        ...

    async def close(self) -> None:
        """Lets go of connections."""
        ...
