"""What a server lets read: its list, page by page, and what a resource has in it."""

import asyncio
import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import orjson

from turnpike.tool_registry.errors import ResourceTooLargeError
from turnpike.tool_registry.links.faults import LinkError
from turnpike.tool_registry.model import Fault
from turnpike.tool_registry.veils import Veil

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

MAX_PAGES = 50
MAX_RESOURCES = 10_000
MAX_BYTES = 5 * 1024 * 1024
MAX_URI = 2048
"""In bytes."""

_MAX_TEXT = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """What a server says of something that it lets read."""

    uri: str
    name: str = ""
    title: str = ""
    media_type: str = ""
    size: int = 0
    mark: str = ""
    """Changes whenever it does; empty where the server does not say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of what a resource has in it."""

    uri: str
    media_type: str
    content: bytes
    is_text: bool


@dataclass(slots=True)
class Shelf:
    """The resources that a server showed, each URI once."""

    resources: dict[str, Resource] = field(default_factory=dict[str, Resource])
    incomplete: bool = False
    """Whether something may be missing in it."""

    size: int = 0

    def take(self, page: Mapping[str, Any]) -> bool:
        """Takes a page; False when there is no room for more."""
        for shown in _shown(page, "resources"):
            resource = to_resource(shown)
            if resource is None:
                self.incomplete = True
                continue
            self.size += len(resource.uri) + len(resource.name) + len(resource.title)
            if len(self.resources) == MAX_RESOURCES or self.size > MAX_BYTES:
                self.incomplete = True
                return False
            self.resources.setdefault(resource.uri, resource)
        return True


async def fetch_resources(link: "Link") -> Shelf:
    """Returns a server's resources, all pages.

    Raises:
        LinkError: The server does not answer, or not with a list.
    """
    shelf = Shelf()
    cursor: str | None = None
    seen: set[str] = set()
    for _ in range(MAX_PAGES):
        page = await link.list_resources(cursor)
        has_room = await asyncio.to_thread(shelf.take, page)
        following: object = page.get("nextCursor") or None
        if not has_room or following is None:
            return shelf
        if not isinstance(following, str) or following in seen:
            break
        cursor = following
        seen.add(cursor)
    # There was more, or a cursor that leads in a circle.
    shelf.incomplete = True
    return shelf


def to_resource(shown: Mapping[str, Any]) -> Resource | None:
    """Returns a resource as a server shows it; None for what is none."""
    uri = shown.get("uri")
    if not isinstance(uri, str) or not _is_plain(uri):
        return None
    size = shown.get("size")
    return Resource(
        uri=uri,
        name=_text(shown.get("name")),
        title=_text(shown.get("title")),
        media_type=_text(shown.get("mimeType")),
        size=size if isinstance(size, int) and 0 <= size < 2**63 else 0,
        mark=_mark(shown),
    )


def to_parts(uri: str, answer: Mapping[str, Any], max_bytes: int, veil: Veil) -> list[Part]:
    """Returns what a server sent of a resource, without the secrets that it was shown.

    Raises:
        LinkError: It sent something else.
        ResourceTooLargeError: It has more bytes than it may.
    """
    parts, left = list[Part](), max_bytes
    for shown in _shown(answer, "contents"):
        part = _part(shown, veil)
        left -= len(part.content)
        if left < 0:
            raise ResourceTooLargeError(uri)
        parts.append(part)
    return parts


def _part(shown: Mapping[str, Any], veil: Veil) -> Part:
    text, blob = shown.get("text"), shown.get("blob")
    uri, media_type = _text(shown.get("uri")), _text(shown.get("mimeType"))
    if isinstance(text, str):
        # Half of a character, which JSON can hold, is none.
        encoded = veil.over(text).encode(errors="replace")
        return Part(uri=uri, media_type=media_type, content=encoded, is_text=True)
    if not isinstance(blob, str):
        raise LinkError("the server's answer is no resource", fault=Fault.NOT_MCP)
    try:
        decoded = base64.b64decode(blob, validate=True)
    except (binascii.Error, ValueError) as error:
        raise LinkError("the server's bytes are no base64", fault=Fault.NOT_MCP) from error
    return Part(uri=uri, media_type=media_type, content=decoded, is_text=False)


def _shown(page: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    shown = page.get(name)
    if not isinstance(shown, list):
        raise LinkError(f"the server's {name} are no list", fault=Fault.NOT_MCP)
    several = cast("list[Any]", shown)
    return [cast("dict[str, Any]", each) if isinstance(each, dict) else {} for each in several]


def _mark(shown: Mapping[str, Any]) -> str:
    modified = _within(shown, "annotations").get("lastModified")
    etag = _within(shown, "_meta").get("etag")
    said = [each[:_MAX_TEXT] for each in (modified, etag) if isinstance(each, str) and each]
    if not said:
        return ""
    # Of the size too, for servers whose clock is coarse.
    return orjson.dumps([*map(_text, said), str(shown.get("size", ""))[:20]]).decode()


def _within(shown: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = shown.get(name)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _text(value: object) -> str:
    """Returns a text that can be sent and stored; empty for what is none."""
    if not isinstance(value, str):
        return ""
    return value[:_MAX_TEXT].encode(errors="replace").decode().replace("\0", "")


def _is_plain(uri: str) -> bool:
    try:
        return 0 < len(uri.encode()) <= MAX_URI and uri.isprintable()
    except UnicodeEncodeError:
        return False
