"""Images and files in what other vendors' clients say to agents."""

import base64
import binascii
import mimetypes
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any, cast

from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.api.agent_runtime.v1.turn_service_pb2 import ContentPart, FilePart
from turnpike.gateway.calls import Call
from turnpike.gateway.problems import ProblemError, invalid_field
from turnpike.gateway.routes.uploading import keep_upload
from turnpike.gateway.uploads import Upload

_PARTS: tuple[str, ...] = ("header.name", "header.media_type", "chunk")
_LONGEST_ID, _LONGEST_NAME = 64, 255
_IMAGES = frozenset({"image", "image_url", "input_image"})
_FILES = frozenset({"document", "file", "input_file"})
_TAKEN = "an agent is told text, images and files, as `data:` URLs or by the id of a file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A file that is told to an agent: one that was uploaded, or its bytes."""

    field: str
    """Where the request has it."""

    image: bool
    file: str = ""
    """Its id; empty where the bytes came along."""

    name: str = ""
    media_type: str = ""
    content: bytes = b""

    async def part(self, call: Call, files: FileServiceStub) -> ContentPart:
        """Returns it as a turn has it; bytes are kept as a file first.

        Raises:
            ProblemError: They are not what they are said to be, or too many.
        """
        file = self.file
        if not file:
            names = dict.fromkeys(_PARTS, self.field)
            upload = Upload(self.name, self.media_type, _once(self.content))
            file = (await keep_upload(call, files, upload, names)).id
        return ContentPart(file=FilePart(file=file, image=self.image))


def attachment_of(part: Any, field: str) -> Attachment:
    """Returns a part of a message that is no text.

    Raises:
        ProblemError: It is nothing that an agent is told.
    """
    kind = part.get("type") if isinstance(part, dict) else None
    if kind not in _IMAGES | _FILES:
        raise _untaken(field)
    said = cast("dict[str, Any]", part)
    # Of what it is, each vendor has another member say where it is.
    inner: Any = next((said[key] for key in ("image_url", "source", "file") if said.get(key)), said)
    where = cast("Any", {"url": inner} if isinstance(inner, str) else inner)
    if not isinstance(where, dict):
        raise _untaken(field)
    given = where.get("file_id") or said.get("file_id")
    name = where.get("filename") or said.get("title") or ""
    if isinstance(given, str) and given:
        return Attachment(field=field, image=kind in _IMAGES, file=given[:_LONGEST_ID])
    media_type, content = _bytes(where, field)
    return Attachment(
        field=field,
        image=kind in _IMAGES,
        name=_name(str(name), media_type),
        media_type=media_type,
        content=content,
    )


def _bytes(where: dict[str, Any], field: str) -> tuple[str, bytes]:
    """Returns what bytes are said to be, and the bytes."""
    if where.get("type") == "base64":
        media_type, encoded = where.get("media_type"), where.get("data")
    else:
        url = where.get("url") or where.get("file_data")
        if not isinstance(url, str) or not url.startswith("data:"):
            # What is elsewhere is not fetched for anybody: whoever has it uploads it.
            raise _untaken(field)
        head, _, encoded = url.removeprefix("data:").partition(",")
        media_type, _, encoding = head.rpartition(";")
        if encoding != "base64":
            raise invalid_field(field, "a `data:` URL is in base64")
    try:
        content = base64.b64decode(str(encoded), validate=True)
    except (binascii.Error, ValueError):
        raise invalid_field(field, "is no base64") from None
    return str(media_type or "").partition(";")[0].strip().lower(), content


def _name(said: str, media_type: str) -> str:
    plain = said.replace("\\", "/").rpartition("/")[2][:_LONGEST_NAME]
    # The same for the same bytes: a request that is sent again is the same request.
    return plain or f"file{mimetypes.guess_extension(media_type) or ''}"


def _untaken(field: str) -> ProblemError:
    errors = invalid_field(field, _TAKEN).errors
    return ProblemError(400, "UNSUPPORTED_PARAMETER", f"{field}: {_TAKEN}", errors=errors)


async def _once(content: bytes) -> AsyncIterator[bytes]:
    yield content
