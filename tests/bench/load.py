"""Clients that read streams of words and note when they came.

They cost so little themselves that they do not disturb what they measure: a socket, and
a count of the mark with which the scripted model begins each word.
"""

import asyncio
import json
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit

MARK = b"~"


@dataclass(frozen=True)
class Target:
    """Where streams come from: the suite, or the model server alone."""

    url: str
    body: dict[str, object]
    key: str = ""

    def request(self) -> bytes:
        """Returns the bytes that ask for one stream."""
        parts, content = urlsplit(self.url), json.dumps(self.body).encode()
        lines = [
            f"POST {parts.path} HTTP/1.1",
            f"host: {parts.netloc}",
            "content-type: application/json",
            "accept: text/event-stream",
            "connection: close",
            f"authorization: Bearer {self.key}",
            f"content-length: {len(content)}",
        ]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@dataclass
class Load:
    """What came of many streams; times are in seconds."""

    first: list[float] = field(default_factory=list[float])
    words: int = 0
    streams: int = 0
    failures: int = 0
    wall: float = 0

    def quantile(self, share: float) -> float:
        """Returns a quantile of the time to the first word, in milliseconds."""
        ordered = sorted(self.first)
        return ordered[min(len(ordered) - 1, int(len(ordered) * share))] * 1000


async def run_load(target: Target, *, clients: int, streams: int) -> Load:
    """Reads that many streams, so many at once."""
    load, numbers = Load(), iter(range(streams))

    async def client() -> None:
        for _ in numbers:
            await read_stream(target, load)

    began = time.perf_counter()
    await asyncio.gather(*(client() for _ in range(clients)))
    load.wall = time.perf_counter() - began
    return load


async def read_stream(target: Target, load: Load) -> None:
    """Reads one stream to its end."""
    parts, began, seen = urlsplit(target.url), time.perf_counter(), 0
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(target.request())
    head = b""
    while piece := await reader.read(65536):
        head = head or piece
        count = piece.count(MARK)
        if count and not seen:
            load.first.append(time.perf_counter() - began)
        seen += count
    writer.close()
    load.words += seen
    load.streams += 1
    load.failures += not head.startswith(b"HTTP/1.1 200") or not seen
