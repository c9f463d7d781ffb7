"""Documents whose bytes come in parts."""

import asyncio
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
from sqlalchemy import text

from tests.conftest import Keys
from tests.embedding.knowledge.serving import Tenant, library, settings_for
from tests.embedding.knowledge.test_indexing import pdf
from tests.waiting import refusal, until
from turnpike.api.embedding.v1 import document_pb2
from turnpike.api.embedding.v1 import document_service_pb2 as pb
from turnpike.blobs.opening import open_store
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.hearing import hear_upload

PDF = pdf("Rent is due.")


def header(path: str, digest: str = "", **fields: Any) -> pb.UploadDocumentRequest:
    document = pb.PutDocumentRequest(collection=fields.pop("collection", "notes"), path=path)
    document.MergeFrom(pb.PutDocumentRequest(**fields))
    return pb.UploadDocumentRequest(header=pb.DocumentHeader(document=document, sha256=digest))


def parts(content: bytes, size: int = 100) -> list[pb.UploadDocumentRequest]:
    return [
        pb.UploadDocumentRequest(chunk=content[at : at + size])
        for at in range(0, len(content), size)
    ]


async def uploaded(
    tenant: Tenant, first: pb.UploadDocumentRequest, content: bytes
) -> pb.UploadDocumentResponse:
    async def requests() -> AsyncIterator[pb.UploadDocumentRequest]:
        for each in (first, *parts(content)):
            yield each

    return await tenant.library.documents.UploadDocument(requests(), metadata=tenant.as_principal())


async def original(tenant: Tenant, path: str) -> bytes:
    request = pb.ReadOriginalRequest(collection="notes", path=path)
    stream = tenant.library.documents.ReadOriginal(request, metadata=tenant.as_principal())
    return b"".join([part.content async for part in stream])


async def test_a_document_in_parts_is_one_that_came_whole(tenant: Tenant) -> None:
    for path, content in (("/a.pdf", PDF), ("/a.md", b"# One\n\n" + b"two " * 50)):
        made = await uploaded(tenant, header(path, sha256(content).hexdigest()), content)

        assert made.document.revision == 1
        indexing = await tenant.indexed(path)
        assert indexing.state == document_pb2.INDEXING_STATE_READY
        assert await original(tenant, path) == content
        again = await tenant.put(path, content)
        assert again.change.id == 0, "it is what it was"
        same = await uploaded(tenant, header(path), content)
        assert same.change.id == 0


@pytest.mark.parametrize("path", ["/a.pdf", "/a.md"])
async def test_other_bytes_than_were_announced_are_refused(tenant: Tenant, path: str) -> None:
    error = await refusal(uploaded(tenant, header(path, "0" * 64), PDF))

    assert [field for field, _ in error.fields] == ["sha256"]
    assert await tenant.paths() == []


async def test_a_document_in_parts_is_bounded_by_its_kind(
    knowledge_urls: MigrationUrls, keys: Keys, tmp_path: Path
) -> None:
    bounds = {"max_document_bytes": 300, "max_original_bytes": 500}
    settings = settings_for(knowledge_urls, keys, tmp_path, index_jobs=0, **bounds)
    async with library(settings, keys, knowledge_urls) as shelves:
        tenant = shelves.tenant()
        await tenant.begin()
        await uploaded(tenant, header("/a.md"), b"x" * 300)
        await uploaded(tenant, header("/a.bin"), b"x" * 500)

        for path, most in (("/b.md", 300), ("/b.bin", 500)):
            error = await refusal(uploaded(tenant, header(path), b"x" * (most + 1)))
            assert (error.code, error.reason) == (
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "DOCUMENT_TOO_LARGE",
            )
            assert error.metadata["limit"] == str(most)

        store = open_store(settings, "embedding")
        assert len([each async for each in store.listed(UUID(tenant.id))]) == 1
        await store.close()


async def test_one_request_writes_the_same_bytes_once_and_no_others(tenant: Tenant) -> None:
    first = header("/a.bin", request_id="k")
    made = await uploaded(tenant, first, b"one")
    again = await uploaded(tenant, first, b"one")
    error = await refusal(uploaded(tenant, first, b"two"))

    assert again.change.id == made.change.id > 0
    assert error.reason == "IDEMPOTENCY_KEY_REUSED"
    assert await original(tenant, "/a.bin") == b"one"


@pytest.mark.parametrize(
    ("first", "reason"),
    [
        (header("/a.bin", collection="nowhere"), "NOT_FOUND"),
        (header("/a.bin", expected_revision=3), "REVISION_MISMATCH"),
        (header("/a.bin", content=b"x"), "INVALID_ARGUMENT"),
        (parts(b"x")[0], "INVALID_ARGUMENT"),
    ],
    ids=["collection", "revision", "content", "no header"],
)
async def test_who_is_refused_early_hears_why_while_sending(
    tenant: Tenant, first: pb.UploadDocumentRequest, reason: str
) -> None:
    sending = tenant.library.documents.UploadDocument(metadata=tenant.as_principal())

    async def send() -> pb.UploadDocumentResponse:
        for each in (first, *parts(b"x" * (4 << 20), size=64 << 10)):
            await sending.write(each)
        await sending.done_writing()
        return await sending

    assert (await refusal(send())).reason == reason
    statement = text("SELECT count(*) FROM leftovers WHERE tenant = :tenant")
    async with tenant.library.stores.system.connect() as connection:
        kept = await connection.scalar(statement, {"tenant": UUID(tenant.id)})
    assert kept == 0, "nothing was read before"


async def test_who_was_refused_is_listened_to_however_slowly_it_sends() -> None:
    heard = 0

    async def requests() -> AsyncIterator[pb.UploadDocumentRequest]:
        nonlocal heard
        for each in parts(b"x" * 2000):
            heard += 1
            yield each

    await hear_upload(requests(), 500)

    assert heard == 6


async def test_an_upload_that_breaks_off_leaves_nothing(
    tenant: Tenant, knowledge_urls: MigrationUrls
) -> None:
    sent = asyncio.Event()

    async def requests() -> AsyncIterator[pb.UploadDocumentRequest]:
        for each in (header("/a.bin"), *parts(b"x" * 1000)):
            yield each
        sent.set()
        await asyncio.Event().wait()

    call = tenant.library.documents.UploadDocument(requests(), metadata=tenant.as_principal())
    asking = asyncio.ensure_future(call)
    await sent.wait()
    call.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    async def is_gone() -> bool:
        return await tenant.paths() == []

    await until(is_gone)
    # The next one is whole.
    await uploaded(tenant, header("/a.bin"), b"y")
    assert await original(tenant, "/a.bin") == b"y"
