"""Blobs in a folder, for laptops and tests."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterable, AsyncIterator, Generator, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO
from uuid import UUID

from turnpike.blobs.links import Links
from turnpike.blobs.model import (
    CHUNK,
    Announce,
    Blob,
    BlobNotFoundError,
    BlobRangeError,
    BlobsUnavailableError,
    Kept,
    Listed,
    parse_key,
    unannounced,
)
from turnpike.blobs.spool import opened, spool

# What a killed process left half-written is nobody's by then.
_ABANDONED = timedelta(days=1)


class DirectoryStore:
    """A `BlobStore` in the folder `root`, which any number of processes share.

    `scope` keeps the blobs of one service apart from another's.
    """

    def __init__(self, root: Path, scope: str) -> None:
        self._root = root
        self._scope = scope
        self._folder = root / scope
        self._incoming = root / "incoming"
        self._links = Links(root)

    async def put(
        self,
        tenant: UUID,
        chunks: AsyncIterable[bytes],
        *,
        limit: int,
        edition: str = "",
        announce: Announce = unannounced,
    ) -> Kept:
        """See `BlobStore.put`."""
        with _failures():
            file, partial = await opened(self._new_file, _discard)
        try:
            with file:
                digest, size = await spool(chunks, file, limit=limit)
                kept = Kept(Blob(tenant, digest, edition), size)
                await announce(kept)
                with _failures():
                    await asyncio.to_thread(_settle, file, partial, self._path(kept.blob))
        finally:
            with suppress(FileNotFoundError):
                partial.unlink()
        return kept

    async def read(
        self, blob: Blob, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        with _failures():
            file = await opened(lambda: self._path(blob).open("rb"), lambda file: file.close())
        with file:
            left = _length(file, start, end)
            while left > 0:
                chunk = await asyncio.to_thread(file.read, min(CHUNK, left))
                if not chunk:
                    return
                left -= len(chunk)
                yield chunk

    async def size(self, blob: Blob) -> int:
        """See `BlobStore.size`."""
        with _failures():
            return (await asyncio.to_thread(self._path(blob).stat)).st_size

    async def delete(self, blob: Blob) -> None:
        """See `BlobStore.delete`."""
        with _failures(), suppress(FileNotFoundError):
            await asyncio.to_thread(self._path(blob).unlink)

    async def link(self, blob: Blob, *, name: str, media_type: str, lifetime: timedelta) -> str:
        """See `BlobStore.link`."""
        with _failures():
            return await asyncio.to_thread(
                self._links.sign,
                self._scope,
                blob,
                name=name,
                media_type=media_type,
                lifetime=lifetime,
            )

    async def listed(self, tenant: UUID) -> AsyncIterator[Listed]:
        """See `BlobStore.listed`."""
        with _failures():
            found = await asyncio.to_thread(lambda: list(self._files(tenant)))
        for each in found:
            yield each

    async def close(self) -> None:
        """See `BlobStore.close`."""

    def _path(self, blob: Blob) -> Path:
        return self._folder / blob.key

    def _new_file(self) -> tuple[IO[bytes], Path]:
        self._incoming.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._forget_abandoned()
        descriptor, name = tempfile.mkstemp(dir=self._incoming)
        return os.fdopen(descriptor, "wb"), Path(name)

    def _forget_abandoned(self) -> None:
        for path in self._incoming.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < time.time() - _ABANDONED.total_seconds():
                    path.unlink()

    def _files(self, tenant: UUID) -> Iterator[Listed]:
        for path in (self._folder / str(tenant)).glob("*/*"):
            blob = parse_key(str(path.relative_to(self._folder)))
            with suppress(FileNotFoundError):
                if blob:
                    yield Listed(blob, datetime.fromtimestamp(path.stat().st_mtime, UTC))


def _discard(new: tuple[IO[bytes], Path]) -> None:
    file, partial = new
    file.close()
    partial.unlink(missing_ok=True)


def _settle(file: IO[bytes], partial: Path, path: Path) -> None:
    os.fsync(file.fileno())
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # At once: whoever opens the path finds all of it, or nothing.
    partial.replace(path)


def _length(file: IO[bytes], start: int, end: int | None) -> int:
    size = os.fstat(file.fileno()).st_size
    if start >= max(size, 1) or (end is not None and end <= start):
        raise BlobRangeError(f"{start} to {end} of {size} bytes")
    file.seek(start)
    return min(size, size if end is None else end) - start


@contextmanager
def _failures() -> Generator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise BlobNotFoundError("no such blob") from error
    except OSError as error:
        raise BlobsUnavailableError(f"the folder of blobs: {error.strerror}") from error
