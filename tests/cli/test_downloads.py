"""Downloads stand where they are wanted whole, or not at all."""

import hashlib
import json
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.cli.test_following import Reply, gateway
from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import RefusalError, UnreachableError
from turnpike.cli.gateway.downloads import download

BYTES = bytes(range(256)) * 4
DIGEST = hashlib.sha256(BYTES).hexdigest()
HALF = len(BYTES) // 2


def kept(*, until: int = len(BYTES), asked: list[str] | None = None) -> Reply:
    """Answers as the gateway does, and hangs up after so many bytes."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        wanted = request.headers.get("range", "")
        if asked is not None:
            asked.append(f"{wanted} {request.headers.get('if-range', '')}")
        start = int(wanted.removeprefix("bytes=").removesuffix("-") or 0)
        request.send_response(206 if start else 200)
        request.send_header("content-length", str(len(BYTES) - start))
        request.send_header("content-disposition", "attachment; filename*=UTF-8''a%20plan.bin")
        request.send_header("etag", f'"{DIGEST}"')
        request.end_headers()
        request.wfile.write(BYTES[start:until])

    return answer


def missing(request: BaseHTTPRequestHandler) -> None:
    body = json.dumps({"reason": "NOT_FOUND", "detail": "there is no such artifact"}).encode()
    request.send_response(404)
    request.send_header("content-length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def test_what_is_kept_is_written_under_its_own_name_and_told_of(tmp_path: Path):
    told: list[tuple[int, int]] = []
    with gateway(kept()) as (client, _):
        written = download(client, "/x", tmp_path, lambda *each: told.append(each))

    assert (written, written.read_bytes()) == (tmp_path / "a plan.bin", BYTES)
    assert names(tmp_path) == ["a plan.bin"]
    assert told[-1] == (len(BYTES), len(BYTES))


def test_what_broke_off_is_gone_on_with(tmp_path: Path):
    asked: list[str] = []
    target = tmp_path / "copy"
    with gateway(kept(until=HALF), kept(), kept(asked=asked)) as (client, _):
        with pytest.raises(UnreachableError, match=f"{HALF} of {len(BYTES)}"):
            download(client, "/x", target, lambda *_: None)
        assert not target.exists()

        download(client, "/x", target, lambda *_: None)

    assert asked == [f'bytes={HALF}- "{DIGEST}"']
    assert (target.read_bytes(), names(tmp_path)) == (BYTES, ["copy"])


def test_other_bytes_than_those_that_are_kept_never_stand_there(tmp_path: Path):
    (tmp_path / f"copy.{DIGEST[:12]}.part").write_bytes(b"!" * HALF)
    with gateway(kept(), kept()) as (client, _), pytest.raises(CommandError, match="try again"):
        download(client, "/x", tmp_path / "copy", lambda *_: None)

    assert names(tmp_path) == []


def test_what_is_there_already_is_not_overwritten(tmp_path: Path):
    target, late = tmp_path / "copy", tmp_path / "late"
    target.write_text("mine")
    with gateway(kept(), kept()) as (client, _):
        with pytest.raises(CommandError, match="already"):
            download(client, "/x", target, lambda *_: None)
        # Somebody puts it there while the bytes come.
        with pytest.raises(CommandError, match="late"):
            download(client, "/x", late, lambda *_: late.touch())

    assert (target.read_text(), late.read_text()) == ("mine", "")


def test_what_is_not_there_says_so(tmp_path: Path):
    with gateway(missing) as (client, _), pytest.raises(RefusalError) as refused:
        download(client, "/x", tmp_path, lambda *_: None)

    assert (refused.value.http_status, refused.value.reason) == (404, "NOT_FOUND")
    assert names(tmp_path) == []
