"""How entries are chained, without any I/O."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

import orjson

ORIGIN = "0" * 64
"""The hash before the first seal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seal:
    """An entry's place in a tenant's chain."""

    position: int
    """From 1, without a gap."""

    entry: str
    """The entry's id."""

    hash: str


@dataclass(frozen=True, slots=True)
class Head:
    """The end of a tenant's chain. Noted elsewhere, it shows if what is before it was cut."""

    position: int = 0
    hash: str = ORIGIN


def chained(head: Head, entries: Iterable[tuple[str, str]]) -> list[Seal]:
    """Returns the seals of entries, by their ids and documents, that come after a head."""
    seals: list[Seal] = []
    position, last = head.position, head.hash
    for id_, document in entries:
        position += 1
        last = hash_of(last, position, document)
        seals.append(Seal(position=position, entry=id_, hash=last))
    return seals


def hash_of(last: str, position: int, document: str) -> str:
    """Returns a seal's hash: SHA-256 of the one before, the position, and the entry.

    The entry is JSON with its names in order and no space, in UTF-8; each of the three is
    followed by a line feed but the last.
    """
    canonical = orjson.dumps(orjson.loads(document), option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{last}\n{position}\n".encode() + canonical).hexdigest()
