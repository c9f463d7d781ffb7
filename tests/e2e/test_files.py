"""Files over REST and the command line, as those who upload them rely on them."""

import hashlib
import json
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite
from tests.e2e.test_setup import turnpike
from tests.waiting import until

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
TEXT = b"It is raining in Z\xc3\xbcrich."


async def upload(edge: Edge, content: bytes, name: str = "notes.txt", **headers: str) -> Any:
    """Uploads a file as a body."""
    response = await edge.http.post(
        "/api/v1/files", params={"name": name}, content=content, headers=headers
    )
    assert response.status_code == 201, response.text
    return response.json()


async def test_a_body_and_a_form_are_kept_alike(edge: Edge):
    body = await upload(edge, TEXT, "Zürich.txt", **{"content-type": "text/plain; charset=utf-8"})
    form = await edge.http.post("/api/v1/files", files={"file": ("Zürich.txt", TEXT, "text/plain")})

    assert form.status_code == 201
    assert form.headers["location"] == f"/api/v1/files/{form.json()['id']}"
    told = {"name": "Zürich.txt", "media_type": "text/plain", "size": len(TEXT)}
    for file in (body, form.json()):
        assert told.items() <= file.items()
        assert file["sha256"] == hashlib.sha256(TEXT).hexdigest()
        assert await edge.call("GET", f"/files/{file['id']}") == file
    listed = (await edge.call("GET", "/files"))["files"]
    assert listed[:2] == [form.json(), body]


async def test_more_than_a_json_body_may_have_is_streamed(edge: Edge):
    chunk = bytes(1 << 20)

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(6):
            yield chunk

    made = await edge.http.post("/api/v1/files", content=chunks())

    assert (made.status_code, made.json()["size"]) == (201, 6 << 20)
    content = await edge.http.get(f"/api/v1/files/{made.json()['id']}/content")
    assert content.content == chunk * 6


@pytest.mark.parametrize(
    ("asked", "status", "expected", "told"),
    [
        ({}, 200, TEXT, None),
        ({"range": "bytes=3-8"}, 206, TEXT[3:9], f"bytes 3-8/{len(TEXT)}"),
        ({"range": "bytes=20-"}, 206, TEXT[20:], f"bytes 20-{len(TEXT) - 1}/{len(TEXT)}"),
        ({"range": "bytes=-4"}, 206, TEXT[-4:], None),
        ({"range": "bytes=3-999"}, 206, TEXT[3:], None),
        ({"range": "bytes=0-1,3-4"}, 200, TEXT, None),
        ({"range": "lines=1"}, 200, TEXT, None),
        ({"range": "bytes=3-8", "if-range": '"other"'}, 200, TEXT, None),
        ({"range": "bytes=99-"}, 416, None, None),
        ({"range": "bytes=-0"}, 416, None, None),
        ({"if-none-match": "TAG"}, 304, b"", None),
    ],
)
async def test_bytes_are_sent_in_part_and_not_again(
    edge: Edge, asked: dict[str, str], status: int, expected: bytes | None, told: str | None
):
    file = await upload(edge, TEXT)
    headers = {name: value.replace("TAG", f'"{file["sha256"]}"') for name, value in asked.items()}

    response = await edge.http.get(f"/api/v1/files/{file['id']}/content", headers=headers)

    assert response.status_code == status
    if expected is not None:
        assert response.content == expected
        assert response.headers["etag"] == f'"{file["sha256"]}"'
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["content-disposition"].startswith("attachment")
    if told:
        assert response.headers["content-range"] == told


@pytest.mark.parametrize(
    ("options", "status", "field"),
    [
        ({"content": b"", "params": {"name": "a.txt"}}, 400, "file"),
        ({"content": TEXT, "params": {"name": "../../etc/passwd"}}, 400, "name"),
        ({"content": TEXT, "params": {"nam": "a"}}, 400, "nam"),
        ({"content": TEXT, "headers": {"content-type": "image/png"}}, 400, "media_type"),
        (
            {"content": TEXT, "headers": {"content-type": "multipart/form-data"}},
            400,
            "Content-Type",
        ),
        ({"files": {"other": ("a.txt", TEXT)}}, 400, "file"),
        ({"files": [("file", ("a", TEXT)), ("file", ("b", TEXT))]}, 400, "file"),
        ({"files": {"file": ("../a.txt", TEXT)}}, 400, "name"),
        ({"files": {"file": ("a.png", PNG, "text/plain")}}, 400, "media_type"),
    ],
)
async def test_what_is_wrong_with_an_upload_is_said_by_its_field(
    edge: Edge, options: dict[str, Any], status: int, field: str
):
    response = await edge.http.post("/api/v1/files", **options)

    assert response.status_code == status, response.text
    assert response.json()["errors"][0]["field"] == field


async def test_a_file_that_is_too_large_is_413(edge: Edge):
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 70:
            sent += 1
            yield bytes(1 << 20)

    response = await edge.http.post("/api/v1/files", content=endless())

    assert (response.status_code, response.json()["reason"]) == (413, "FILE_TOO_LARGE")
    assert response.json()["metadata"]["limit"] == str(64 << 20)


async def test_an_upload_that_breaks_off_leaves_nothing(edge: Edge, suite: Suite):
    before = (await edge.call("GET", "/files"))["files"]
    incoming = suite.home / "blobs" / "incoming"
    url = urlsplit(suite.url)
    head = (
        f"POST /api/v1/files HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {suite.key}\r\n"
        "content-length: 1000\r\n\r\nhello"
    )
    with socket.create_connection((url.hostname, url.port)) as connection:
        connection.sendall(head.encode())
        await until(lambda: incoming.exists() and bool(list(incoming.iterdir())))

    await until(lambda: not list(incoming.iterdir()))
    assert (await edge.call("GET", "/files"))["files"] == before


async def test_a_link_needs_no_credential_and_is_signed(edge: Edge, suite: Suite):
    file = await upload(edge, TEXT, "notes.txt")
    link = await edge.call("POST", f"/files/{file['id']}:link?seconds=60")

    async with httpx.AsyncClient(base_url=suite.url) as browser:
        response = await browser.get(link["url"])
        part = await browser.get(link["url"], headers={"range": "bytes=0-1"})
        forged = await browser.get(link["url"][:-2] + "AA")

    assert (response.status_code, response.content) == (200, TEXT)
    assert response.headers["content-disposition"] == "attachment; filename*=UTF-8''notes.txt"
    assert (part.status_code, part.content) == (206, TEXT[:2])
    assert forged.status_code == 404


async def test_a_stranger_keeps_nothing(edge: Edge):
    for caller, status in ((edge.with_key(None), 401), (edge.with_key("tpk_" + "x" * 22), 401)):
        response = await caller.http.post("/api/v1/files", content=TEXT)
        assert response.status_code == status


async def test_the_command_line_puts_lists_gets_and_removes(suite: Suite, tmp_path: Path):
    (tmp_path / "notes.md").write_bytes(TEXT)

    def run(*words: str) -> Any:
        command = [sys.executable, "-m", "turnpike.cli", "files", *words, "--json"]
        options = ["--url", suite.url, "--key", suite.key]
        done = subprocess.run(
            [*command, *options], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return [json.loads(line) for line in done.stdout.splitlines()]

    (made,) = run("put", "notes.md")
    assert (made["name"], made["media_type"]) == ("notes.md", "text/markdown")
    assert made in run("list")
    run("get", made["id"], "copy.md")
    assert (tmp_path / "copy.md").read_bytes() == TEXT
    run("rm", made["id"])
    assert made not in run("list")


async def test_what_a_tool_brings_is_an_artifact(
    edge: Edge, agent: MakeAgent, stranger: Edge, suite: Suite, tmp_path: Path
):
    name = await agent("n=1+tool=everything__get-tiny-image+arg={}", tools=["everything/*"])
    turn = (await edge.start(name))["id"]
    (finished,) = (await edge.read(turn)).of("tool.finished")
    links = [each for each in finished["result"] if each["type"] == "resource_link"]

    (artifact,) = (await edge.call("GET", f"/turns/{turn}/artifacts"))["artifacts"]
    response = await edge.http.get(f"/api/v1/artifacts/{artifact['id']}")
    foreign = await stranger.http.get(f"/api/v1/artifacts/{artifact['id']}")

    assert [link["uri"] for link in links] == [f"turnpike://artifacts/{artifact['id']}"]
    assert response.headers["content-type"] == "image/png"
    assert hashlib.sha256(response.content).hexdigest() == artifact["sha256"]
    assert foreign.status_code == 404

    _, listed, _ = await turnpike(suite, "artifacts", "list", turn, "--json")
    await turnpike(suite, "artifacts", "get", artifact["id"], str(tmp_path / "image.png"))
    await turnpike(suite, "artifacts", "pull", turn, str(tmp_path / "all"))
    wrong = await turnpike(suite, "artifacts", "get", turn, str(tmp_path / "none"), "--json")
    assert json.loads(listed) == artifact
    (pulled,) = (tmp_path / "all").iterdir()
    assert pulled.read_bytes() == (tmp_path / "image.png").read_bytes() == response.content
    assert (wrong[0], json.loads(wrong[2])["reason"]) == (1, "NOT_FOUND")
