"""Files that become documents: which, and how their bytes are sent."""

import hashlib
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import GatewayClient, RefusalError

_PART = 1 << 16
_BYTES = "application/octet-stream"
"""By its name the service knows better what a file is."""

_OF_ONE_FILE = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.CONFLICT,
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    }
)
"""With which one file is refused, and another may be taken."""

Tell = Callable[[str, int, int], None]
"""Is told what is done, how much of it, and of how much."""


class FileError(CommandError):
    """One file cannot be read, or is refused."""


def found(given: Path, to: str) -> Iterator[tuple[Path, str]]:
    """Yields files, and the path that each document gets."""
    base = "/" + to.strip("/")
    folder = base if base == "/" else f"{base}/"
    if given.is_file():
        yield given, f"{folder}{given.name}"
        return
    for file in sorted(given.rglob("*")):
        inside = file.relative_to(given)
        if file.is_file() and not any(part.startswith(".") for part in inside.parts):
            yield file, f"{folder}{inside.as_posix()}"


def sent(client: GatewayClient, file: Path, where: str, tell: Tell) -> dict[str, Any]:
    """Returns what became of a file: read as it is sent, and checked on the other side.

    Raises:
        FileError: It cannot be read, or cannot be such a document.
        CommandError: No file can be sent.
    """
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
            size = content.seek(0, 2)
            content.seek(0)
            return client.fetch(
                "PUT",
                f"{where}:original",
                params={"sha256": digest},
                headers={"content-type": _BYTES, "content-length": str(size)},
                content=_parts(content, size, tell),
            )
    except OSError as error:
        raise FileError(f"cannot read {str(file)!r}: {error.strerror}") from error
    except RefusalError as refusal:
        if refusal.http_status not in _OF_ONE_FILE:
            raise
        raise FileError(f"{str(file)!r}: {refusal}", reason=refusal.reason) from refusal


def _parts(content: BinaryIO, size: int, tell: Tell) -> Iterator[bytes]:
    done = 0
    while part := content.read(_PART):
        yield part
        done += len(part)
        tell("sending", done, size)
