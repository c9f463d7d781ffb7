"""Bytes on their way out: whole, in part, or not again (RFC 9110)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import quote

from starlette.types import Scope

from turnpike.gateway.problems import ProblemError
from turnpike.gateway.requests import header

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that never change, and what is said of them."""

    name: str
    media_type: str
    size: int
    sha256: str

    @property
    def headers(self) -> dict[str, str]:
        """What goes with them, in whole or in part: no browser takes them for a page of ours."""
        return {
            "accept-ranges": "bytes",
            "cache-control": "private, no-cache",
            "content-disposition": f"attachment; filename*=UTF-8''{quote(self.name, safe='')}",
            "content-security-policy": "sandbox; default-src 'none'",
            "content-type": self.media_type,
            "etag": f'"{self.sha256}"',
            "x-content-type-options": "nosniff",
        }


@dataclass(frozen=True, slots=True)
class Portion:
    """What of them is sent: from `start` to before `end`."""

    status: int
    start: int
    end: int
    headers: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Whether the headers say it all."""
        return self.status == 304


def portion(scope: Scope, content: Content) -> Portion:
    """Returns what a request is answered with.

    Several ranges are answered with the whole.

    Raises:
        ProblemError: The range is outside, 416.
    """
    if _names(header(scope, b"if-none-match"), content):
        return Portion(304, 0, 0, content.headers)
    whole = Portion(200, 0, content.size, _sized(content.headers, content.size))
    match = _RANGE.fullmatch(header(scope, b"range").replace(" ", ""))
    condition = header(scope, b"if-range")
    if match is None or match[0] == "bytes=-" or (condition and not _names(condition, content)):
        return whole
    start, end = _span(match[1], match[2], content.size)
    if start >= min(end, content.size):
        raise ProblemError(
            416,
            "OUT_OF_RANGE",
            f"there are {content.size} bytes",
            metadata={"size": str(content.size)},
        )
    told = f"bytes {start}-{end - 1}/{content.size}"
    return Portion(206, start, end, _sized(content.headers, end - start) | {"content-range": told})


def _span(first: str, last: str, size: int) -> tuple[int, int]:
    if not first:
        return max(0, size - int(last)), size
    return int(first), min(int(last) + 1, size) if last else size


def _names(tags: str, content: Content) -> bool:
    found = {tag.strip().removeprefix("W/") for tag in tags.split(",")}
    return "*" in found or f'"{content.sha256}"' in found


def _sized(headers: Mapping[str, str], size: int) -> dict[str, str]:
    return {**headers, "content-length": str(size)}
