"""Files in what is said to an agent, as its model is shown them."""

from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from typing import Any
from uuid import UUID

from turnpike.agent_runtime.models.pictures import data_url
from turnpike.agent_runtime.turns.model import PastTurn, Turn

Part = Mapping[str, Any]
Contents = Mapping[str, bytes]
"""The bytes of files, by their ids."""

ReadContents = Callable[[UUID, Sequence[Part]], Coroutine[None, None, Contents]]
"""Returns the bytes of all files in a tenant's input; raises TurnFailedError when they are lost,
RemoteError when they cannot be read now."""

NO_CONTENTS: Contents = {}
PICTURE_TOKENS = 8192
"""What an image costs at most, about: providers count between a hundred and some thousands."""


def said(part: Part) -> str:
    """Returns a part in few words: what was said, or what was given."""
    return part["text"] if "text" in part else f"[{part.get('name', '')}]"


def bound(parts: Iterable[Part]) -> int:
    """Returns how many bytes of text parts are at most, images by what they cost."""
    return sum(_bound(part) for part in parts)


def _bound(part: Part) -> int:
    if part.get("type") == "image":
        return PICTURE_TOKENS
    return len(said(part).encode()) + int(part.get("size", 0))


def text_of(parts: Sequence[Part], contents: Contents, *, sees: bool) -> str:
    """Returns what a model reads of an input; an image that it cannot see by its name."""
    return "\n".join(
        _read(part, contents) for part in parts if not (sees and part.get("type") == "image")
    )


def _read(part: Part, contents: Contents) -> str:
    content = contents.get(part.get("file", ""))
    if content is None or part.get("type") == "image":
        return said(part)
    return f"{said(part)}\n{content.decode('utf-8', 'replace')}"


def pictures_of(parts: Sequence[Part]) -> tuple[str, ...]:
    """Returns the digests of an input's images."""
    return tuple(part["sha256"] for part in parts if part.get("type") == "image")


def data_urls(parts: Iterable[Part], contents: Contents) -> dict[str, str]:
    """Returns images as they are sent, by their digests."""
    return {
        part["sha256"]: data_url(part["media_type"], contents[part["file"]])
        for part in parts
        if part.get("type") == "image" and part["file"] in contents
    }


def given(past: Sequence[PastTurn], turn: Turn) -> list[Part]:
    """Returns the parts of a thread's inputs that are files."""
    return [part for each in (*past, turn) for part in each.input if "file" in part]
