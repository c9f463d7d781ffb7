"""What whoever keeps blobs relies on, of every store."""

import asyncio
import hashlib
import tracemalloc
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from turnpike.blobs.model import (
    Blob,
    BlobNotFoundError,
    BlobRangeError,
    BlobStore,
    BlobTooLargeError,
    Kept,
)
from turnpike.blobs.whole import put_whole, read_whole

LIMIT = 1 << 20
TEXT = b"the quick brown fox"


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(store: BlobStore, blob: Blob, start: int = 0, end: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in store.read(blob, start, end)])


async def blobs_of(store: BlobStore, tenant: UUID) -> list[Blob]:
    return [each.blob async for each in store.listed(tenant)]


async def test_what_is_kept_is_read_again_and_named_by_its_digest(store: BlobStore):
    kept = await store.put(uuid4(), chunks(TEXT[:5], b"", TEXT[5:]), limit=LIMIT)

    assert kept.size == len(TEXT)
    assert kept.blob.digest == hashlib.sha256(TEXT).hexdigest()
    assert await read(store, kept.blob) == TEXT
    assert await store.size(kept.blob) == len(TEXT)


async def test_no_bytes_are_a_blob_too(store: BlobStore):
    kept = await store.put(uuid4(), chunks(), limit=0)

    assert (kept.size, await store.size(kept.blob), await read(store, kept.blob)) == (0, 0, b"")


async def test_the_same_bytes_are_kept_once_for_each_tenant_and_edition(store: BlobStore):
    tenant, other = uuid4(), uuid4()
    one, again = [await put_whole(store, tenant, TEXT) for _ in range(2)]
    edition = await put_whole(store, tenant, TEXT, edition="a-1")
    foreign = await put_whole(store, other, TEXT)

    assert one == again
    assert set(await blobs_of(store, tenant)) == {one.blob, edition.blob}
    assert await blobs_of(store, other) == [foreign.blob]


async def test_another_tenants_blob_is_not_there(store: BlobStore):
    kept = await put_whole(store, uuid4(), TEXT)

    with pytest.raises(BlobNotFoundError):
        await read(store, Blob(uuid4(), kept.blob.digest))


async def test_twenty_who_keep_the_same_at_once_all_have_it(store: BlobStore):
    tenant = uuid4()

    kept = await asyncio.gather(*(put_whole(store, tenant, TEXT) for _ in range(20)))

    assert len(set(kept)) == 1
    assert await read(store, kept[0].blob) == TEXT


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 3, TEXT[:3]),
        (4, 9, TEXT[4:9]),
        (16, None, TEXT[16:]),
        (16, 1000, TEXT[16:]),
        (18, 19, TEXT[18:]),
    ],
)
async def test_a_range_is_read_alone(
    store: BlobStore, start: int, end: int | None, expected: bytes
):
    kept = await put_whole(store, uuid4(), TEXT)

    assert await read(store, kept.blob, start, end) == expected


@pytest.mark.parametrize(("start", "end"), [(19, None), (99, 100), (5, 5), (5, 2)])
async def test_a_range_outside_is_refused(store: BlobStore, start: int, end: int | None):
    kept = await put_whole(store, uuid4(), TEXT)

    with pytest.raises(BlobRangeError):
        await read(store, kept.blob, start, end)


async def test_too_much_is_refused_before_it_is_all_taken_and_nothing_is_kept(store: BlobStore):
    tenant, taken = uuid4(), 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        while True:
            taken += 1000
            yield bytes(1000)

    with pytest.raises(BlobTooLargeError):
        await store.put(tenant, endless(), limit=5000)

    assert taken == 6000
    assert await blobs_of(store, tenant) == []


async def test_what_breaks_off_leaves_nothing_behind(store: BlobStore):
    tenant = uuid4()

    async def broken() -> AsyncIterator[bytes]:
        yield TEXT
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(tenant, broken(), limit=LIMIT)

    assert await blobs_of(store, tenant) == []


async def test_a_blob_is_announced_before_it_is_there_and_not_kept_if_that_fails(store: BlobStore):
    tenant = uuid4()

    async def refuse(kept: Kept) -> None:
        assert kept.size == len(TEXT)
        with pytest.raises(BlobNotFoundError):
            await store.size(kept.blob)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await store.put(tenant, chunks(TEXT), limit=LIMIT, announce=refuse)

    assert await blobs_of(store, tenant) == []


async def test_who_is_cancelled_keeps_nothing(store: BlobStore):
    tenant, begun = uuid4(), asyncio.Event()

    async def stalled() -> AsyncIterator[bytes]:
        yield TEXT
        begun.set()
        await asyncio.Event().wait()

    putting = asyncio.ensure_future(store.put(tenant, stalled(), limit=LIMIT))
    await begun.wait()
    putting.cancel()

    with pytest.raises(asyncio.CancelledError):
        await putting
    assert await blobs_of(store, tenant) == []


async def test_what_is_deleted_is_gone_and_may_be_kept_again(store: BlobStore):
    tenant = uuid4()
    kept = await put_whole(store, tenant, TEXT)
    other = await put_whole(store, tenant, TEXT, edition="other")

    await store.delete(kept.blob)
    await store.delete(kept.blob)

    for call in (store.size(kept.blob), read(store, kept.blob)):
        with pytest.raises(BlobNotFoundError):
            await call
    assert await read(store, other.blob) == TEXT
    assert await put_whole(store, tenant, TEXT) == kept
    assert await read(store, kept.blob) == TEXT


async def test_memory_is_a_few_chunks_whatever_the_size(store: BlobStore):
    size, tenant = 12 << 20, uuid4()
    await put_whole(store, tenant, TEXT)  # whatever is imported once

    async def many() -> AsyncIterator[bytes]:
        for _ in range(size >> 18):
            yield bytes(1 << 18)

    tracemalloc.start()
    try:
        kept = await store.put(tenant, many(), limit=size)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    # The S3 server of the tests is in this process, and holds what it was given.
    assert peak < 8 << 20 or type(store).__name__ == "S3Store"
    assert await store.size(kept.blob) == size


async def test_a_whole_blob_is_bounded_and_checked(store: BlobStore):
    kept = await put_whole(store, uuid4(), TEXT)

    assert await read_whole(store, kept.blob, limit=len(TEXT)) == TEXT
    with pytest.raises(BlobTooLargeError):
        await read_whole(store, kept.blob, limit=len(TEXT) - 1)


async def test_a_link_names_no_secret(store: BlobStore):
    kept = await put_whole(store, uuid4(), TEXT)

    link = await store.link(
        kept.blob, name="a b.txt", media_type="text/plain", lifetime=timedelta(minutes=1)
    )

    assert "secret" not in link


@pytest.mark.parametrize("digest", ["", "../../etc/passwd", "A" * 64, "a" * 63, "a" * 64 + "\n"])
def test_nothing_but_a_digest_names_a_blob(digest: str):
    with pytest.raises(ValueError, match="no digest"):
        Blob(uuid4(), digest)


@pytest.mark.parametrize("edition", ["../x", "A", "a/b", "a.b", "a" * 65])
def test_an_edition_leads_nowhere_else(edition: str):
    with pytest.raises(ValueError, match="no digest"):
        Blob(uuid4(), "a" * 64, edition)
