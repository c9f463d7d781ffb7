"""Bytes that the gateway keeps, written to where somebody wants them."""

import hashlib
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import httpx

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient, UnreachableError

_NAME = "filename*=UTF-8''"


Watch: TypeAlias = Callable[[int, int], None]
"""Is told how many bytes are there, and of how many."""


@dataclass(frozen=True)
class Content:
    """What a reply says of the bytes."""

    name: str
    sha256: str
    size: int


def download(client: GatewayClient, path: str, target: Path | None, watch: Watch) -> Path:
    """Writes the bytes at `path` to `target`, or under their own name; returns where they are.

    They come to stand there whole or not at all, and never over what is there already. What a
    broken connection left in the `.part` beside it is gone on with.

    Raises:
        CommandError: The target is taken or cannot be written, the bytes are other ones than
            the gateway says, or they break off.
    """
    with _reply(client, path) as response:
        content = _described(response)
        goal = _goal(target, content)
        part = goal.with_name(f"{goal.name}.{content.sha256[:12]}.part")
        try:
            begun = part.stat().st_size if part.exists() else 0
            if not begun:
                _write(response, part, content, watch)
        except OSError as error:
            raise _unwritable(part, error) from error
    if begun:
        _go_on(client, path, part, content, watch)
    _place(part, goal, content)
    return goal


def _go_on(client: GatewayClient, path: str, part: Path, content: Content, watch: Watch) -> None:
    begun = part.stat().st_size
    if begun >= content.size:
        return
    asked = {"range": f"bytes={begun}-", "if-range": f'"{content.sha256}"'}
    with _reply(client, path, asked) as response:
        try:
            if response.status_code != 206:
                part.unlink()
            _write(response, part, content, watch)
        except OSError as error:
            raise _unwritable(part, error) from error


def _write(response: httpx.Response, part: Path, content: Content, watch: Watch) -> None:
    with part.open("ab") as output:
        done = output.tell()
        try:
            for chunk in response.iter_raw():
                output.write(chunk)
                done += len(chunk)
                watch(done, content.size)
        except httpx.HTTPError as error:
            raise UnreachableError(
                f"the bytes break off at {done} of {content.size}; the same command goes on there"
            ) from error


def _place(part: Path, goal: Path, content: Content) -> None:
    try:
        with part.open("rb") as written:
            found = hashlib.file_digest(written, "sha256").hexdigest()
        if found != content.sha256:
            part.unlink()
            raise CommandError(f"what came of {content.name!r} is not what is kept; try again")
        # Not a rename, which would go over what somebody put there meanwhile.
        os.link(part, goal)
        part.unlink()
    except OSError as error:
        raise _unwritable(goal, error) from error


def _goal(target: Path | None, content: Content) -> Path:
    own = Path(content.name).name or content.sha256
    goal = Path(own) if target is None else target
    if target is not None and target.is_dir():
        goal = target / own
    if goal.exists():
        raise CommandError(f"there is already something at {str(goal)!r}")
    return goal


def _described(response: httpx.Response) -> Content:
    disposition = response.headers.get("content-disposition", "")
    try:
        size = int(response.headers["content-length"])
        return Content(
            name=unquote(disposition.partition(_NAME)[2].partition(";")[0]),
            sha256=response.headers["etag"].strip('"'),
            size=size,
        )
    except (KeyError, ValueError) as error:
        raise CommandError("this does not answer like a gateway of ours") from error


@contextmanager
def _reply(
    client: GatewayClient, path: str, asked: dict[str, str] | None = None
) -> Generator[httpx.Response]:
    # As it is: what is counted is what is written.
    headers = {"accept": "*/*", "accept-encoding": "identity", **(asked or {})}
    with client.stream("GET", path, headers=headers) as response:
        yield response


def _unwritable(path: Path, error: OSError) -> CommandError:
    return CommandError(f"cannot write {str(path)!r}: {error.strerror}")
