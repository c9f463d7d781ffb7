"""What is each store's own: links, settings, corruption, a bucket that is away."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from pydantic import ValidationError

from tests.waiting import until
from turnpike.blobs.links import LINK_PATH, Links
from turnpike.blobs.model import BlobCorruptError, BlobStore, BlobsUnavailableError, LinkError
from turnpike.blobs.opening import folder_of, open_store
from turnpike.blobs.settings import BlobSettings
from turnpike.blobs.whole import put_whole, read_whole

MINUTE = timedelta(minutes=1)


def root(folder: BlobSettings) -> Path:
    path = folder_of(folder)
    assert path is not None
    return path


async def linked(store: BlobStore, lifetime: timedelta = MINUTE) -> str:
    kept = await put_whole(store, uuid4(), b"hello")
    return await store.link(kept.blob, name="grüße.txt", media_type="text/plain", lifetime=lifetime)


async def test_a_browser_gets_a_buckets_blob_by_its_link(bucket: BlobSettings):
    store = open_store(bucket, "tests")
    url = await linked(store)

    async with aiohttp.ClientSession() as browser, browser.get(url) as reply:
        assert await reply.read() == b"hello"
        assert reply.content_type == "text/plain"
        disposition = reply.headers["Content-Disposition"]
    await store.close()

    assert disposition == "attachment; filename*=UTF-8''gr%C3%BC%C3%9Fe.txt"


async def test_a_link_to_a_bucket_names_the_address_that_browsers_know(bucket: BlobSettings):
    public = bucket.model_copy(update={"blobs_public_endpoint": "https://files.example.test"})
    store = open_store(public, "tests")

    assert (await linked(store)).startswith("https://files.example.test/")
    await store.close()


async def test_who_is_cancelled_while_a_file_is_opened_leaves_none(
    folder: BlobSettings, monkeypatch: pytest.MonkeyPatch
):
    store, made = open_store(folder, "tests"), list[str]()
    make, entered, release = tempfile.mkstemp, threading.Event(), threading.Event()

    def held(*arguments: Any, **options: Any) -> tuple[int, str]:
        entered.set()
        release.wait(15)
        descriptor, name = make(*arguments, **options)
        made.append(name)
        return descriptor, name

    monkeypatch.setattr(tempfile, "mkstemp", held)
    putting = asyncio.create_task(put_whole(store, uuid4(), b"hello"))
    await asyncio.to_thread(entered.wait, 15)
    putting.cancel()
    await asyncio.gather(putting, return_exceptions=True)
    release.set()

    await until(lambda: bool(made) and not Path(made[0]).exists())
    opened = {os.path.realpath(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")}
    assert not any(path.startswith(made[0]) for path in opened)


async def test_a_folders_link_says_what_it_leads_to(folder: BlobSettings):
    path = await linked(open_store(folder, "tests"))

    link = Links(root(folder)).read(path.removeprefix(LINK_PATH))

    assert path.startswith(LINK_PATH)
    assert (link.scope, link.name, link.media_type) == ("tests", "grüße.txt", "text/plain")


@pytest.mark.parametrize("change", ["", ".", "x", "aGk.aGk", "é.é"])
async def test_a_link_of_somebody_elses_making_is_refused(folder: BlobSettings, change: str):
    path = await linked(open_store(folder, "tests"))
    payload, _, signature = path.removeprefix(LINK_PATH).partition(".")

    for token in (change, f"{payload}{change or 'A'}.{signature}", f"{payload}.{change}"):
        with pytest.raises(LinkError):
            Links(root(folder)).read(token)


async def test_a_link_expires(folder: BlobSettings):
    path = await linked(open_store(folder, "tests"), lifetime=-timedelta(seconds=1))

    with pytest.raises(LinkError, match="expired"):
        Links(root(folder)).read(path.removeprefix(LINK_PATH))


async def test_every_process_on_a_folder_reads_the_others_links(folder: BlobSettings):
    one, other = (open_store(folder, scope) for scope in ("one", "other"))

    for path in (await linked(one), await linked(other)):
        assert Links(root(folder)).read(path.removeprefix(LINK_PATH)).name == "grüße.txt"


async def test_what_another_has_changed_is_not_taken_for_what_was_kept(folder: BlobSettings):
    store = open_store(folder, "tests")
    kept = await put_whole(store, uuid4(), b"hello")
    (root(folder) / "tests" / kept.blob.key).write_bytes(b"HELLO")

    with pytest.raises(BlobCorruptError):
        await read_whole(store, kept.blob, limit=10)


async def test_what_a_killed_process_left_is_cleared_away_in_time(folder: BlobSettings):
    store = open_store(folder, "tests")
    await put_whole(store, uuid4(), b"hello")
    left, fresh = root(folder) / "incoming" / "left", root(folder) / "incoming" / "fresh"
    for path in (left, fresh):
        path.touch()
    os.utime(left, (0, 0))

    await put_whole(store, uuid4(), b"hello again")

    assert (left.exists(), fresh.exists()) == (False, True)


async def test_files_are_for_their_owner_alone(folder: BlobSettings):
    kept = await put_whole(open_store(folder, "tests"), uuid4(), b"hello")
    path = root(folder) / "tests" / kept.blob.key

    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("url", [None, "s3://nowhere"])
async def test_a_store_that_is_away_says_so(url: str | None, unused_tcp_port: int):
    settings = BlobSettings.model_validate(
        {
            "blobs_url": url,
            "blobs_endpoint": f"http://127.0.0.1:{unused_tcp_port}",
            "blobs_access_key": "key",
            "blobs_secret_key": "secret",
        }
    )
    store = open_store(settings, "tests")

    with pytest.raises(BlobsUnavailableError):
        await put_whole(store, uuid4(), b"hello")
    await store.close()


async def test_a_bucket_that_is_none_is_told_apart_from_a_blob_that_is_none(bucket: BlobSettings):
    store = open_store(bucket.model_copy(update={"blobs_url": "s3://another-bucket"}), "tests")

    with pytest.raises(BlobsUnavailableError, match="NoSuchBucket"):
        await put_whole(store, uuid4(), b"hello")
    await store.close()


@pytest.mark.parametrize("url", ["/folder", "file://", "file://relative", "http://x", "s3://"])
def test_a_place_that_is_none_is_refused_at_the_start(url: str):
    with pytest.raises(ValidationError):
        BlobSettings(blobs_url=url)


def test_nothing_of_amazons_is_imported_before_it_is_needed():
    program = (
        "import json, sys\n"
        "from turnpike.blobs.opening import open_store\n"
        "from turnpike.blobs.settings import BlobSettings\n"
        "open_store(BlobSettings(blobs_url='s3://bucket'), 'tests')\n"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))\n"
    )
    output = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout

    assert set(json.loads(output)) & {"boto3", "botocore", "aiobotocore", "aiohttp"} == set()
