"""What may be done to files."""

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.callers import Person
from turnpike.agent_runtime.errors import FilesFullError, FileTooLargeError, NotFoundError
from turnpike.agent_runtime.files import store
from turnpike.agent_runtime.files.media import MediaTypeError, Sniffer
from turnpike.agent_runtime.files.model import File, blob_of
from turnpike.agent_runtime.files.pinning import named, pinned
from turnpike.blobs.model import BlobStore, BlobTooLargeError, Kept
from turnpike.blobs.whole import read_whole
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError, UnavailableError

# How long keeping bytes may take, once they have all come.
_PATIENCE = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much is kept, and how long."""

    size: int
    """Of one file, in bytes."""

    tenant: int
    """Of all of a tenant's files, in bytes."""

    retention: timedelta
    """Of a file that no thread holds."""


class Files:
    """A tenant's files. Somebody else's does not exist, unless an admin asks."""

    def __init__(self, engine: AsyncEngine, blobs: BlobStore, bounds: Bounds) -> None:
        self._engine = engine
        self._blobs = blobs
        self._bounds = bounds

    @property
    def limit(self) -> int:
        """How many bytes a file may have."""
        return self._bounds.size

    async def upload(
        self, person: Person, *, name: str, media_type: str, chunks: AsyncIterable[bytes]
    ) -> File:
        """Keeps a file; whatever interrupts it, there is a whole one or none.

        Raises:
            InvalidArgumentError: There are no bytes, or they are not what is said.
            FileTooLargeError: There are more than may be kept.
            FilesFullError: The tenant has too many already.
            BlobsUnavailableError: They cannot be kept now.
        """
        file, sniffer = uuid4(), Sniffer()

        async def announce(kept: Kept) -> None:
            begun = File(
                id=file,
                tenant=person.tenant,
                name=name,
                media_type=_media_type(sniffer, media_type),
                size=kept.size,
                digest=kept.blob.digest,
                created=datetime.now(UTC),
            )
            async with tenant_transaction(self._engine, person.tenant) as connection:
                stored = await store.begin_file(
                    connection, begun, principal=person.principal, patience=_PATIENCE
                )
                if stored > self._bounds.tenant:
                    raise FilesFullError(self._bounds.tenant)

        try:
            kept = await self._blobs.put(
                person.tenant,
                _seen(chunks, sniffer),
                limit=self._bounds.size,
                edition=str(file),
                announce=announce,
            )
        except BlobTooLargeError as error:
            raise FileTooLargeError(error.limit) from error
        return await self._finished(person, file, kept)

    async def get(self, person: Person, file: UUID) -> File:
        """Returns a file, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            found = await store.get_file(connection, file, principal=person.only)
        if found is None:
            raise NotFoundError("file", str(file))
        return found

    async def page(
        self, person: Person, *, before: tuple[datetime, UUID] | None, limit: int
    ) -> list[File]:
        """Returns files, newest first, older than `before`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            return await store.list_files(
                connection, principal=person.only, before=before, limit=limit
            )

    async def read(
        self, person: Person, file: UUID, start: int, end: int | None
    ) -> AsyncGenerator[bytes]:
        """Yields a file's bytes, or a range of them.

        Raises:
            NotFoundError: There is no such file.
            BlobRangeError: The range is outside of it.
        """
        found = await self.get(person, file)
        async for chunk in self._blobs.read(found.blob, start, end):
            yield chunk

    async def link(self, person: Person, file: UUID, lifetime: timedelta) -> str:
        """Returns where a browser gets the bytes, or raises `NotFoundError`."""
        found = await self.get(person, file)
        return await self._blobs.link(
            found.blob, name=found.name, media_type=found.media_type, lifetime=lifetime
        )

    async def pinned(
        self, person: Person, parts: Sequence[Mapping[str, Any]]
    ) -> list[dict[str, Any]]:
        """Returns an input whose files say what they are; see `pinning.pinned`."""
        wanted = named(parts)
        found: dict[UUID, File] = {}
        if wanted:
            async with tenant_transaction(self._engine, person.tenant) as connection:
                found = await store.named_files(connection, wanted, principal=person.only)
        return pinned(parts, found)

    async def contents(self, tenant: UUID, parts: Sequence[Mapping[str, Any]]) -> dict[str, bytes]:
        """Returns the bytes of all files in an input, by their ids.

        Raises:
            BlobError: They are not to be had, or are not those that were pinned.
        """
        contents: dict[str, bytes] = {}
        for part in parts:
            if "file" in part and part["file"] not in contents:
                blob = blob_of(tenant, part["sha256"], UUID(part["file"]))
                contents[part["file"]] = await read_whole(self._blobs, blob, limit=part["size"])
        return contents

    async def delete(self, person: Person, file: UUID) -> None:
        """Deletes a file, for everybody but the threads that hold it; or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, person.tenant) as connection:
            found = await store.delete_file(connection, file, principal=person.only)
        if not found:
            raise NotFoundError("file", str(file))

    async def _finished(self, person: Person, file: UUID, kept: Kept) -> File:
        async with tenant_transaction(self._engine, person.tenant) as connection:
            found = await store.finish_file(connection, file, retention=self._bounds.retention)
        if found is None:
            # The sweep took it for left behind; its bytes are nobody else's.
            await self._blobs.delete(kept.blob)
            raise UnavailableError("keeping the file took too long; try again")
        return found


def _media_type(sniffer: Sniffer, said: str) -> str:
    if sniffer.size == 0:
        raise InvalidArgumentError("chunk", "a file has at least one byte")
    try:
        return sniffer.media_type(said)
    except MediaTypeError as error:
        raise InvalidArgumentError("header.media_type", str(error)) from error


async def _seen(chunks: AsyncIterable[bytes], sniffer: Sniffer) -> AsyncIterator[bytes]:
    async for chunk in chunks:
        sniffer.take(chunk)
        yield chunk
