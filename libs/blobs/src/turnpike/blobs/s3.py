"""Blobs in a bucket of S3, or of whatever speaks its protocol."""

import asyncio
import tempfile
from base64 import b64encode
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from turnpike.blobs.model import (
    CHUNK,
    Announce,
    Blob,
    BlobRangeError,
    Kept,
    Listed,
    parse_key,
    unannounced,
)
from turnpike.blobs.spool import opened, spool

if TYPE_CHECKING:
    from turnpike.blobs import boto


@dataclass(frozen=True)
class Bucket:
    """Where a bucket is, and by whose right it is used."""

    name: str
    prefix: str = ""
    endpoint: str = ""
    """Empty: Amazon's."""
    public_endpoint: str = ""
    """The endpoint as browsers reach it; empty: the same."""
    region: str = "us-east-1"
    access_key: str = ""
    """Empty, with the secret key: what the machine's own identity may."""
    secret_key: str = field(default="", repr=False)


class S3Store:
    """A `BlobStore` in a bucket; `scope` keeps one service's blobs apart from another's."""

    def __init__(self, bucket: Bucket, scope: str) -> None:
        self._bucket = bucket
        self._prefix = "/".join(part for part in (bucket.prefix.strip("/"), scope, "") if part)
        self._prefix = f"{self._prefix.rstrip('/')}/"
        self._clients: dict[str, Any] = {}
        self._opening = asyncio.Lock()
        self._open = AsyncExitStack()

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
        # A file without a name: the kernel forgets it, however this process ends.
        with await opened(tempfile.TemporaryFile, lambda file: file.close()) as file:
            digest, size = await spool(chunks, file, limit=limit)
            kept = Kept(Blob(tenant, digest, edition), size)
            await announce(kept)
            await asyncio.to_thread(file.seek, 0)
            client, library = await self._client()
            with library.failures():
                # One request: the object appears whole, and S3 checks the digest.
                await client.put_object(
                    **self._object(kept.blob),
                    Body=file,
                    ContentLength=size,
                    ChecksumSHA256=b64encode(bytes.fromhex(digest)).decode(),
                )
        return kept

    async def read(
        self, blob: Blob, start: int = 0, end: int | None = None
    ) -> AsyncIterator[bytes]:
        """See `BlobStore.read`."""
        if start < 0 or (end is not None and end <= start):
            raise BlobRangeError(f"{start} to {end}")
        last = "" if end is None else end - 1
        # An empty object has no range at all.
        span = {"Range": f"bytes={start}-{last}"} if start or end is not None else {}
        client, library = await self._client()
        with library.failures():
            reply = await client.get_object(**self._object(blob), **span)
            async with reply["Body"] as body:
                async for chunk in body.iter_chunks(CHUNK):
                    yield chunk

    async def size(self, blob: Blob) -> int:
        """See `BlobStore.size`."""
        client, library = await self._client()
        with library.failures():
            return int((await client.head_object(**self._object(blob)))["ContentLength"])

    async def delete(self, blob: Blob) -> None:
        """See `BlobStore.delete`."""
        client, library = await self._client()
        with library.failures():
            await client.delete_object(**self._object(blob))

    async def link(self, blob: Blob, *, name: str, media_type: str, lifetime: timedelta) -> str:
        """See `BlobStore.link`."""
        client, library = await self._client(self._bucket.public_endpoint)
        with library.failures():
            return await client.generate_presigned_url(
                "get_object",
                Params={
                    **self._object(blob),
                    "ResponseContentDisposition": f"attachment; filename*=UTF-8''{quote(name)}",
                    "ResponseContentType": media_type,
                },
                ExpiresIn=int(lifetime.total_seconds()),
            )

    async def listed(self, tenant: UUID) -> AsyncIterator[Listed]:
        """See `BlobStore.listed`."""
        client, library = await self._client()
        pages = client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket.name, Prefix=f"{self._prefix}{tenant}/"
        )
        with library.failures():
            async for page in pages:
                for each in page.get("Contents", ()):
                    if blob := parse_key(each["Key"].removeprefix(self._prefix)):
                        yield Listed(blob, each["LastModified"])

    async def close(self) -> None:
        """See `BlobStore.close`."""
        self._clients.clear()
        await self._open.aclose()

    def _object(self, blob: Blob) -> dict[str, str]:
        return {"Bucket": self._bucket.name, "Key": f"{self._prefix}{blob.key}"}

    async def _client(self, endpoint: str = "") -> "tuple[Any, type[boto.Library]]":
        """Returns the client, and how its failures read; the first call imports aioboto3."""
        module = await asyncio.to_thread(import_module, "turnpike.blobs.boto")
        async with self._opening:
            endpoint = endpoint or self._bucket.endpoint
            if endpoint not in self._clients:
                client = module.Library.connect(self._bucket, endpoint)
                self._clients[endpoint] = await self._open.enter_async_context(client)
        return self._clients[endpoint], module.Library
