"""Files, as whoever uploads them relies on them."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import pytest

from tests.agent_runtime.files.keeping import (
    PNG,
    TEXT,
    blobs_of,
    delete,
    download,
    listed,
    requests,
    stream,
    upload,
)
from tests.agent_runtime.serving import Tenant, serving
from tests.conftest import Keys
from tests.waiting import refusal, until
from turnpike.agent_runtime.files.sweeping import sweep
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import file_service_pb2 as pb
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine


async def test_a_file_is_kept_as_it_was_sent(tenant: Tenant):
    file = await upload(tenant, TEXT[:7], TEXT[7:], name="Zürich.txt")

    assert (file.name, file.media_type, file.size) == ("Zürich.txt", "text/plain", len(TEXT))
    assert file.sha256 == hashlib.sha256(TEXT).hexdigest()
    assert await download(tenant, file.id) == TEXT
    assert await download(tenant, file.id, 3, 9) == TEXT[3:9]
    got = await tenant.runtime.files.GetFile(pb.GetFileRequest(id=file.id), metadata=tenant.admin)
    assert got.file == file


async def test_files_are_listed_newest_first_page_by_page(tenant: Tenant):
    made = [await upload(tenant, TEXT, name=f"{i}.txt") for i in range(3)]

    first = await tenant.runtime.files.ListFiles(
        pb.ListFilesRequest(page_size=2), metadata=tenant.admin
    )
    rest = await tenant.runtime.files.ListFiles(
        pb.ListFilesRequest(page_token=first.next_page_token), metadata=tenant.admin
    )

    assert [*first.files, *rest.files] == made[::-1]
    assert not rest.next_page_token


@pytest.mark.parametrize(
    ("content", "said", "found"),
    [
        (PNG, "", "image/png"),
        (b"\xff\xd8\xff\xe0 jpeg", "image/jpeg", "image/jpeg"),
        (b"GIF89a....", "application/octet-stream", "image/gif"),
        (b"RIFF0000WEBPVP8 ", "", "image/webp"),
        (b"%PDF-1.7", "", "application/pdf"),
        (b'{"a": 1}', "application/json", "application/json"),
        (b"a,b\n", "text/csv", "text/csv"),
        (b"\x00\x01", "", "application/octet-stream"),
        (b"\xfe\xff", "application/zip", "application/zip"),
    ],
)
async def test_a_file_is_what_its_bytes_show(tenant: Tenant, content: bytes, said: str, found: str):
    assert (await upload(tenant, content, media_type=said)).media_type == found


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<html>", "image/png"),
        (PNG, "image/jpeg"),
        (PNG, "text/html"),
        (PNG, "application/zip"),
        (b"%PDF-1.7", "image/png"),
        (b"MZ\x90\x00", "text/plain"),
        (b"cut in a letter \xc3", "text/plain"),
        (b"\xff\xfe", "application/json"),
    ],
)
async def test_a_media_type_that_lies_is_refused(
    tenant: Tenant, settings: Settings, content: bytes, said: str
):
    refused = await refusal(upload(tenant, content, media_type=said))

    assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", "header.media_type")
    assert await blobs_of(settings, tenant) == []


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a/b", "a\\b", "..", ".", "a\nb", "a\0b", "a" * 256]
)
async def test_a_name_that_is_a_path_or_none_is_refused(tenant: Tenant, name: str):
    refused = await refusal(upload(tenant, TEXT, name=name))

    assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", "header.name")


async def test_no_bytes_are_no_file(tenant: Tenant, settings: Settings):
    for chunks in ((), (b"",)):
        refused = await refusal(upload(tenant, *chunks))
        assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", "chunk")
    assert await blobs_of(settings, tenant) == []


async def test_a_file_that_is_too_large_is_refused_and_leaves_nothing(
    tenant: Tenant, settings: Settings
):
    refused = await refusal(upload(tenant, *[bytes(1 << 18)] * 5))

    assert (refused.reason, refused.metadata["limit"]) == ("FILE_TOO_LARGE", str(1 << 20))
    assert (await listed(tenant), await blobs_of(settings, tenant)) == ([], [])
    await upload(tenant, *[bytes(1 << 18)] * 4)


async def test_a_tenants_files_are_bounded_exactly_however_many_come_at_once(
    tenant: Tenant,
    settings: Settings,
    keys: Keys,
    new_tenant: Callable[[], Awaitable[Tenant]],
    superuser: asyncpg.Connection,
):
    limit = 3 * len(TEXT) + 1
    small = settings.model_copy(update={"replica_name": "small", "file_tenant_bytes": limit})
    async with serving(small, keys) as runtime:
        there, other = tenant.on(runtime), (await new_tenant()).on(runtime)
        made = await asyncio.gather(
            *(upload(there, TEXT) for _ in range(8)), return_exceptions=True
        )
        files = [each for each in made if isinstance(each, pb.File)]
        refused = await refusal(upload(there, TEXT))

        assert len(files) == 3
        assert (refused.reason, refused.metadata["limit"]) == ("FILES_FULL", str(limit))
        assert len(await blobs_of(settings, tenant)) == 3
        await upload(other, TEXT)
        await delete(there, files[0].id)

        async def is_gone() -> bool:
            # A replica's own sweep may have it.
            await sweep(engine, open_store(settings, "agent-runtime"))
            left = "SELECT count(*) FROM files WHERE id = $1"
            return not await superuser.fetchval(left, files[0].id)

        async with open_engine(settings.system_database_url.get_secret_value()) as engine:
            await until(is_gone)
        await upload(there, TEXT)
        assert (await refusal(upload(there, TEXT))).reason == "FILES_FULL"


@pytest.mark.parametrize("order", [[1], [0, 0, 1], [1, 0], []])
async def test_a_header_comes_first_and_once(tenant: Tenant, order: list[int]):
    messages = requests(TEXT)
    call = tenant.runtime.files.UploadFile(
        stream([messages[i] for i in order]), metadata=tenant.admin
    )

    assert (await refusal(call)).fields[0][0] == "header"


async def test_an_upload_that_breaks_off_leaves_nothing_behind(tenant: Tenant, settings: Settings):
    begun = asyncio.Event()

    async def broken() -> AsyncIterator[pb.UploadFileRequest]:
        for message in requests(TEXT):
            yield message
        begun.set()
        await asyncio.Event().wait()

    call = tenant.runtime.files.UploadFile(broken(), metadata=tenant.admin)
    await begun.wait()
    call.cancel()

    async def is_clean() -> bool:
        incoming = settings.blobs_url and settings.blobs_url.removeprefix("file://")
        # There is no directory yet where nothing came before.
        return not list(Path(f"{incoming}/incoming").glob("*"))

    await until(is_clean)
    assert (await listed(tenant), await blobs_of(settings, tenant)) == ([], [])


async def test_another_tenants_file_is_not_there(
    tenant: Tenant, new_tenant: Callable[[], Awaitable[Tenant]]
):
    file, stranger = await upload(tenant, TEXT), await new_tenant()

    for call in (
        download(stranger, file.id),
        delete(stranger, file.id),
        stranger.runtime.files.GetFile(pb.GetFileRequest(id=file.id), metadata=stranger.admin),
        stranger.runtime.files.GetFileLink(
            pb.GetFileLinkRequest(id=file.id), metadata=stranger.admin
        ),
    ):
        assert (await refusal(call)).reason == "NOT_FOUND"
    assert await listed(stranger) == []


async def test_a_member_sees_own_files_and_an_admin_all(tenant: Tenant):
    one, other = tenant.somebody(), tenant.somebody()
    file = await upload(tenant, TEXT, metadata=one)

    assert await listed(tenant, one) == await listed(tenant) == [file]
    assert await listed(tenant, other) == []
    assert (await refusal(download(tenant, file.id, metadata=other))).reason == "NOT_FOUND"
    assert (await refusal(upload(tenant, TEXT, metadata=tenant.somebody("viewer")))).reason == (
        "FORBIDDEN"
    )


@pytest.mark.parametrize("file", ["", "x", "../x", "00000000-0000-0000-0000-000000000000"])
async def test_what_was_never_uploaded_is_not_there(tenant: Tenant, file: str):
    assert (await refusal(download(tenant, file))).reason == "NOT_FOUND"


async def test_a_range_outside_of_a_file_is_refused(tenant: Tenant):
    file = await upload(tenant, TEXT)

    for start, end in ((len(TEXT), 0), (5, 5), (5, 2)):
        refused = await refusal(download(tenant, file.id, start, end))
        assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", "start")


async def test_a_deleted_file_is_gone(tenant: Tenant):
    file = await upload(tenant, TEXT)

    await delete(tenant, file.id)

    for call in (download(tenant, file.id), delete(tenant, file.id)):
        assert (await refusal(call)).reason == "NOT_FOUND"
    assert await listed(tenant) == []


async def test_a_link_is_for_some_time(tenant: Tenant):
    file = await upload(tenant, TEXT)
    request = pb.GetFileLinkRequest(id=file.id)

    response = await tenant.runtime.files.GetFileLink(request, metadata=tenant.admin)

    assert response.url.startswith("/api/v1/blobs/")
    request.lifetime.FromSeconds(86401)
    refused = await refusal(tenant.runtime.files.GetFileLink(request, metadata=tenant.admin))
    assert refused.fields[0][0] == "lifetime"
