"""Where a resource's document is, by its URI, and which resources are read."""

import re
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from urllib.parse import unquote

from turnpike.embedding.knowledge import kinds, paths

_ENDINGS = {
    kinds.MARKDOWN: ".md",
    "text/plain": ".txt",
    "text/csv": ".csv",
    kinds.HTML: ".html",
    "application/json": ".json",
    kinds.PDF: ".pdf",
    kinds.DOCX: ".docx",
    kinds.XLSX: ".xlsx",
    kinds.PPTX: ".pptx",
}
_MAX_DEPTH = 12
_MAX_NAME = 120
_MAX_ENDING = 10
# A path is a key of an index.
_MAX_BYTES = 900


class Paths:
    """The paths of a source's items: each has its own, and none is within another's."""

    def __init__(self, folder: str, taken: Iterable[str]) -> None:
        self._folder = folder
        self._taken: set[str] = set()
        self._folders: set[str] = set()
        for path in taken:
            self._take(path)

    def of(self, uri: str, media_type: str) -> str:
        """Returns, and takes, the path of an item that has none yet."""
        path = paths.within(self._folder) + _relative(uri, media_type)
        if not self._is_free(path):
            path = _marked(path, uri)
        if not self._is_free(path):
            path = paths.within(self._folder) + _digest(uri) + PurePosixPath(path).suffix[:20]
        self._take(path)
        return path

    def _is_free(self, path: str) -> bool:
        if path in self._taken or path in self._folders or len(path.encode()) > _MAX_BYTES:
            return False
        return not self._taken.intersection(paths.parents(path))

    def _take(self, path: str) -> None:
        self._taken.add(path)
        self._folders.update(paths.parents(path))


def is_wanted(uri: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Says whether a listed resource is read."""
    if include and not any(_matches(uri, pattern) for pattern in include):
        return False
    return not any(_matches(uri, pattern) for pattern in exclude)


def _matches(uri: str, pattern: str) -> bool:
    """Says whether a URI is as a pattern says; in time that grows with both, no more."""
    first, *others = pattern.split("*")
    if not others:
        return uri == pattern
    if not uri.startswith(first):
        return False
    at = len(first)
    for part in others[:-1]:
        found = uri.find(part, at)
        if found < 0:
            return False
        at = found + len(part)
    last = others[-1]
    return len(uri) - len(last) >= at and uri.endswith(last)


def _relative(uri: str, media_type: str) -> str:
    rest = uri.partition(":")[2] if re.match(r"[A-Za-z][A-Za-z0-9+.-]*:", uri) else uri
    names = [_name(part) for part in rest.split("/") if part not in ("", ".", "..")]
    names = [name for name in names if name][-_MAX_DEPTH:] or [_digest(uri)]
    plain = media_type.partition(";")[0].strip().lower()
    stated = kinds.media_type_of("", names[-1])
    if stated == "application/octet-stream":
        names[-1] += _ENDINGS.get(plain, "")
    return "/".join(names)


def _name(part: str) -> str:
    decoded = unquote(part).strip()
    stem, dot, ending = decoded.rpartition(".")
    if not dot or len(ending) > _MAX_ENDING:
        stem, dot, ending = decoded, "", ""
    decoded = stem[: _MAX_NAME - len(dot + ending)] + dot + ending
    name = "".join("_" if c == "/" or not c.isprintable() else c for c in decoded)
    return "" if name in (".", "..") else name


def _marked(path: str, uri: str) -> str:
    stem, dot, ending = path.rpartition(".")
    if not dot or "/" in ending:
        stem, dot, ending = path, "", ""
    return f"{stem}~{_digest(uri)[:8]}{dot}{ending}"


def _digest(uri: str) -> str:
    return sha256(uri.encode()).hexdigest()[:32]
