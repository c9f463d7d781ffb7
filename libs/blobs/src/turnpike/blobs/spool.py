"""Bytes on their way in: on disk until all have come, so that memory stays small."""

import asyncio
import hashlib
from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager
from typing import IO, TypeVar

from turnpike.blobs.model import BlobsUnavailableError, BlobTooLargeError

T = TypeVar("T")


async def opened(opens: Callable[[], T], closes: Callable[[T], object]) -> T:
    """Returns what a thread opens; it is closed if its caller is cancelled meanwhile."""
    opening = asyncio.ensure_future(asyncio.to_thread(opens))

    def close(done: asyncio.Future[T]) -> None:
        if not (done.cancelled() or done.exception()):
            closes(done.result())

    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        opening.add_done_callback(close)
        raise


async def spool(chunks: AsyncIterable[bytes], into: IO[bytes], *, limit: int) -> tuple[str, int]:
    """Writes `chunks` to a file; returns their SHA-256 in hex, and how many bytes they were.

    Raises BlobTooLargeError as soon as there are more than `limit`.
    """
    digest, size = hashlib.sha256(), 0

    def take(chunk: bytes) -> None:
        digest.update(chunk)
        into.write(chunk)

    async for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BlobTooLargeError(limit)
        with _full_disk():
            await asyncio.to_thread(take, chunk)
    with _full_disk():
        await asyncio.to_thread(into.flush)
    return digest.hexdigest(), size


@contextmanager
def _full_disk() -> Generator[None]:
    try:
        yield
    except OSError as error:
        raise BlobsUnavailableError(f"no place to write to: {error.strerror}") from error
