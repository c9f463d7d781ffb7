"""Images in prompts: named by their digest where prompts are kept, whole where they are sent."""

import base64
from collections.abc import Mapping
from typing import Any

_SCHEME = "turnpike:sha256:"
# In JSON no text can hold this: its quotes would be escaped.
_REFERENCE = b'{"url":"turnpike:sha256:'
_DIGITS = 64


def part(digest: str) -> dict[str, Any]:
    """Returns an image as a message is kept with it: some bytes, whatever the image has."""
    return {"type": "image_url", "image_url": {"url": f"{_SCHEME}{digest}"}}


def data_url(media_type: str, content: bytes) -> str:
    """Returns an image as providers are sent it."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


def shown(wire: bytes, pictures: Mapping[str, str]) -> bytes:
    """Returns a message with its images in place of their names: the same bytes each time.

    Args:
        wire: The message, as it is kept.
        pictures: Images as data URLs, by their digests.
    """
    start = 0
    while (at := wire.find(_REFERENCE, start)) >= 0:
        begin = at + len(_REFERENCE)
        url = pictures.get(wire[begin : begin + _DIGITS].decode("ascii", "replace"), "")
        if url:
            head = wire[:at] + b'{"url":"' + url.encode()
            wire, start = head + wire[begin + _DIGITS :], len(head)
        else:
            start = begin
    return wire
