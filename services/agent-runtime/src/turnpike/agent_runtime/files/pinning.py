"""What a turn keeps of the files in its input."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from turnpike.agent_runtime.files.media import IMAGES, is_text
from turnpike.agent_runtime.files.model import File
from turnpike.rpc.errors import InvalidArgumentError

LARGEST_IMAGE = 5 << 20
LARGEST_TEXT = 256 << 10
"""What models are shown of one file, in bytes."""


def named(parts: Sequence[Mapping[str, Any]]) -> list[UUID]:
    """Returns the ids of the files that an input names; what is no id names none."""
    found: list[UUID] = []
    for part in parts:
        try:
            found.append(UUID(part.get("file", "")))
        except ValueError:
            continue
    return found


def pinned(parts: Sequence[Mapping[str, Any]], files: Mapping[UUID, File]) -> list[dict[str, Any]]:
    """Returns an input whose files say what they are, by digest.

    Raises:
        InvalidArgumentError: A file is none, or no model can be shown it.
    """
    return [
        _pinned(dict(part), f"input[{i}].file", files) if "file" in part else dict(part)
        for i, part in enumerate(parts)
    ]


def _pinned(part: dict[str, Any], field: str, files: Mapping[UUID, File]) -> dict[str, Any]:
    file = next((files[each] for each in named([part]) if each in files), None)
    if file is None:
        raise InvalidArgumentError(field, f"there is no file {part['file']!r}")
    _check(file, field, image=part["type"] == "image")
    return {
        "type": "image" if file.media_type in IMAGES else "file",
        "file": str(file.id),
        "name": file.name,
        "media_type": file.media_type,
        "size": file.size,
        "sha256": file.digest,
    }


def _check(file: File, field: str, *, image: bool) -> None:
    shown = file.media_type in IMAGES
    if image and not shown:
        raise InvalidArgumentError(field, f"{file.media_type} is no image that models are shown")
    if not shown and not is_text(file.media_type):
        raise InvalidArgumentError(field, f"{file.media_type} cannot be shown to a model")
    largest = LARGEST_IMAGE if shown else LARGEST_TEXT
    if file.size > largest:
        raise InvalidArgumentError(field, f"models are shown {largest} bytes of it at most")
