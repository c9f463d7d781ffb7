"""A tenant's audit, as a chain that anybody can check."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

ORIGIN = "0" * 64


@dataclass(frozen=True)
class Head:
    """An end of the chain."""

    position: int = 0
    hash: str = ORIGIN

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


@dataclass
class Report:
    """What checking found."""

    head: Head = field(default_factory=Head)
    """As far as the chain goes, and is whole."""

    begins: Head = field(default_factory=Head)
    """What was up to there is deleted, as the audit says itself; nothing at position 0."""

    unsealed: int = 0
    """Entries that have no place yet."""

    faults: list[str] = field(default_factory=list[str])


def head_of(text: str) -> Head:
    """Returns the head that a text such as `42:9f…` means; raises ValueError."""
    position, colon, hash_ = text.partition(":")
    if not colon or len(hash_) != len(ORIGIN):
        raise ValueError(f"{text!r} is no head: it is POSITION:HASH")
    return Head(int(position), hash_)


def verify(lines: Iterable[bytes | str], *, known: Head | None = None) -> Report:
    """Checks an export: that nothing was changed, removed, added or moved.

    Args:
        lines: The export, from the chain's beginning.
        known: A head that was noted before; without one nobody sees that the end was cut.
    """
    report = Report()
    last = Head()
    forgotten: set[Head] = set()
    for line in lines:
        if line.strip():
            said = orjson.loads(line)
            if "anchor" in said:
                last = report.begins = _anchored(report, last, said["anchor"], known)
            else:
                last = _check(report, last, said, known)
                forgotten |= _forgotten(said["entry"])
    if report.begins.position and report.begins not in forgotten:
        report.faults.append(
            f"it begins after {report.begins.position}, and nothing in it says why"
        )
    if known is not None and last.position < known.position:
        report.faults.append(
            f"the chain ends at {last.position}, and it had come to {known.position}"
        )
    if not report.faults:
        report.head = last
    return report


def _anchored(report: Report, last: Head, anchor: dict[str, Any], known: Head | None) -> Head:
    begins = Head(anchor["position"], anchor["hash"])
    if begins.position < last.position:
        report.faults.append(f"it goes on after {begins.position}, and had come to {last.position}")
    if known is not None and begins.position == known.position and begins != known:
        report.faults.append(_made_anew(known))
    return begins


def _forgotten(entry: dict[str, Any] | None) -> set[Head]:
    """Returns up to where an entry says that what was before is deleted."""
    if not entry or entry.get("kind") != "FORGOTTEN":
        return set()
    return {Head(entry["position"], entry["hash"])}


def _made_anew(known: Head) -> str:
    return f"{known.position}: the chain was made anew, its hash was {known.hash}"


def _check(report: Report, last: Head, said: dict[str, Any], known: Head | None) -> Head:
    position, hash_, entry = said["position"], said["hash"], said["entry"]
    if not position:
        report.unsealed += 1
        return last
    if position != last.position + 1:
        report.faults.append(f"{position} comes after {last.position}: something is missing")
    if entry is None:
        report.faults.append(f"{position}: the entry is missing")
    elif _hash(last.hash, position, entry) != hash_:
        report.faults.append(f"{position}: it is not what was sealed there ({entry.get('id')})")
    if known is not None and position == known.position and hash_ != known.hash:
        report.faults.append(_made_anew(known))
    # From here on by what it says it is: each fault is told once.
    return Head(position, hash_)


def _hash(last: str, position: int, entry: dict[str, Any]) -> str:
    canonical = orjson.dumps(entry, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(f"{last}\n{position}\n".encode() + canonical).hexdigest()
