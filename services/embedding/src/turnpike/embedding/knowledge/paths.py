"""Paths of documents and folders: `/contracts/2026/lease.md`; the root is `/`."""

from collections.abc import Iterator

from turnpike.rpc.errors import InvalidArgumentError

ROOT = "/"

_MAX_DEPTH = 32
_MAX_NAME = 255


def parse(path: str, field: str = "path") -> str:
    """Returns a path in its one spelling.

    Raises:
        InvalidArgumentError: It is none, or the root.
    """
    parsed = parse_folder(path, field)
    if parsed == ROOT:
        raise InvalidArgumentError(field, "must name something")
    return parsed


def parse_folder(path: str, field: str = "folder") -> str:
    """Returns a folder's path in its one spelling; the root's for an empty one.

    Raises:
        InvalidArgumentError: It is none.
    """
    names = [name for name in path.split("/") if name]
    if len(names) > _MAX_DEPTH:
        raise InvalidArgumentError(field, f"must have {_MAX_DEPTH} parts at most")
    for name in names:
        if name in (".", "..") or len(name) > _MAX_NAME or not name.isprintable():
            raise InvalidArgumentError(field, f"{name[:80]!r} is no name of a file or folder")
    return ROOT + "/".join(names)


def name_of(path: str) -> str:
    """Returns the last part of a path."""
    return path.rpartition("/")[2]


def parents(path: str) -> Iterator[str]:
    """Yields the folders above a path, the outermost first, the root apart."""
    names = path.split("/")[1:-1]
    for depth in range(1, len(names) + 1):
        yield ROOT + "/".join(names[:depth])


def within(folder: str) -> str:
    """Returns what the paths of everything in a folder begin with."""
    return folder if folder == ROOT else f"{folder}/"


def is_within(path: str, folder: str) -> bool:
    """Says whether a path is below a folder."""
    return path.startswith(within(folder)) and path != folder


def moved(path: str, old: str, new: str) -> str:
    """Returns where a path is when `old`, which it is or is below, becomes `new`."""
    return new + path[len(old) :]
