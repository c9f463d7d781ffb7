"""Event streams, read line by line."""

import json
from collections.abc import Generator, Iterable
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Event:
    """One event of a turn's log."""

    seq: int
    type: str
    fields: dict[str, Any] = field(default_factory=dict[str, Any])


def read_events(chunks: Iterable[bytes]) -> Generator[Event]:
    """Yields the events of an event stream; a frame that was cut off is none."""
    for fields in read_documents(chunks):
        yield Event(int(fields["seq"]), str(fields["type"]), fields)


def read_documents(chunks: Iterable[bytes]) -> Generator[dict[str, Any]]:
    """Yields what the frames of an event stream hold; one that was cut off is none."""
    body: list[bytes] = []
    for line in _lines(chunks):
        if line.startswith(b"data:"):
            body.append(line[5:].removeprefix(b" "))
        elif not line and body:
            yield json.loads(b"\n".join(body))
            body = []


def _lines(chunks: Iterable[bytes]) -> Generator[bytes]:
    """Splits at line feeds alone: text may hold what Unicode calls a line's end."""
    rest = b""
    for chunk in chunks:
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r")
