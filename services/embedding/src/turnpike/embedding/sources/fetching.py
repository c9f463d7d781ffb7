"""What a resource makes of a document, or why it makes none."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from turnpike.embedding.knowledge import kinds
from turnpike.embedding.knowledge.model import Draft
from turnpike.embedding.sources.errors import ItemSkippedError
from turnpike.embedding.sources.model import Job, Part, Resource
from turnpike.embedding.sources.registry import Registry

_UNKNOWN = "application/octet-stream"
_PLAIN = "text/plain"
_MAX_TITLE = 512

URI = "uri"
"""Where a document's metadata say what it was made from."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A resource as a document."""

    draft: Draft
    digest: bytes
    """Of all that the resource says."""


async def fetch(registry: Registry, job: Job, resource: Resource) -> Fetched:
    """Reads a resource; raises as `Registry.read` does, also for what is no document."""
    stated = kinds.media_type_of(resource.media_type, resource.uri)
    # What is known to be of no use is not sent for.
    if stated != _UNKNOWN:
        _require_readable(stated)
    if resource.size > registry.max_bytes:
        message = f"it has {resource.size} bytes, and may have {registry.max_bytes}"
        raise ItemSkippedError("RESOURCE_TOO_LARGE", message)
    return _fetched(resource, await registry.read(job, resource.uri))


def _fetched(resource: Resource, parts: Sequence[Part]) -> Fetched:
    if not parts:
        raise ItemSkippedError("EMPTY", "there is nothing in it")
    media_types = {_media_type(resource, part) for part in parts}
    if len(parts) == 1:
        (media_type,), content = media_types, parts[0].content
    elif all(part.is_text for part in parts):
        media_type = media_types.pop() if len(media_types) == 1 else _PLAIN
        content = b"\n\n".join(part.content for part in parts)
    else:
        raise ItemSkippedError("MANY_PARTS", f"it has {len(parts)} parts, not all of them text")
    _require_readable(media_type)
    title = resource.title[:_MAX_TITLE]
    about = sha256(f"{media_type}\0{title}\0".encode())
    about.update(content)
    draft = Draft(
        content=content.replace(b"\0", b"") if kinds.is_text(media_type) else content,
        media_type=media_type,
        title=title,
        metadata={URI: resource.uri},
    )
    return Fetched(draft, about.digest())


def _media_type(resource: Resource, part: Part) -> str:
    stated = kinds.media_type_of(part.media_type or resource.media_type, resource.uri) or _UNKNOWN
    if part.is_text and not kinds.is_text(stated) and stated not in kinds.EXTRACTED:
        return _PLAIN
    return stated


def _require_readable(media_type: str) -> None:
    if not kinds.is_text(media_type) and media_type not in kinds.EXTRACTED:
        message = f"no text can be read from {media_type or 'what has no media type'}"
        raise ItemSkippedError("MEDIA_TYPE_UNKNOWN", message)
