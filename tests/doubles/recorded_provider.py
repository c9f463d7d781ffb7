"""Providers that say again what real ones said, on their own wires.

The recordings are in `recorded/`: `.sse` as it stands, `.jsonl` as the events of AWS's event
stream, `.json` as whole replies. Each has the padding, the pings and the framing of its
provider's own; what is said in them, and what is signed, is made up.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles.event_stream import frame
from tests.doubles.http1 import Connection, Request, serving

_FOLDER = Path(__file__).parent / "recorded"
_TYPES = {
    ".sse": "text/event-stream; charset=utf-8",
    ".jsonl": "application/vnd.amazon.eventstream",
    ".json": "application/json",
}
# Neither divides the other: events are cut anywhere, as networks do.
_BLOCK_BYTES = (701, 97)


@dataclass
class RecordedProvider:
    """Plays one recording a request, in turn; the last one again and again."""

    url: str = ""
    plays: Sequence[str] = ()
    hangs: bool = False
    """Whether it says nothing more at the end, and does not end."""

    requests: list[Request] = field(default_factory=list[Request])
    connections: set[Connection] = field(default_factory=set[Connection])
    seen: set[Connection] = field(default_factory=set[Connection])
    """Every connection that brought a request, also those that are closed."""

    def play(self, *names: str) -> None:
        """Says what is played from now on."""
        self.plays = names
        self.requests.clear()

    async def respond(self, connection: Connection, request: Request) -> None:
        """Answers a request with what is next."""
        self.requests.append(request)
        self.seen.add(connection)
        name = self.plays[min(len(self.requests), len(self.plays)) - 1]
        kind = _TYPES[Path(name.partition("@")[0]).suffix]
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.transport.write(head.encode())
        for block in _blocks(recorded(name)):
            connection.write(block)
            # So that they arrive one by one.
            await asyncio.sleep(0)
        if self.hangs:
            await asyncio.Event().wait()
        connection.end_stream()


@asynccontextmanager
async def recorded_provider() -> AsyncGenerator[RecordedProvider]:
    """Serves one while inside."""
    provider = RecordedProvider()
    async with serving(provider.respond, connections=provider.connections) as port:
        provider.url = f"http://127.0.0.1:{port}"
        yield provider


def recorded(name: str) -> bytes:
    """Returns a recording, as its bytes are on the wire; `NAME@N` is its first N lines."""
    path, _, count = name.partition("@")
    content = (_FOLDER / path).read_bytes()
    if path.endswith(".jsonl"):
        events = [_framed(line) for line in content.splitlines()]
    else:
        events = content.splitlines(keepends=True)
    return b"".join(events[: int(count)] if count else events)


def _framed(line: bytes) -> bytes:
    event: dict[str, dict[str, object]] = json.loads(line)
    return b"".join(frame(kind, payload) for kind, payload in event.items())


def _blocks(content: bytes) -> list[bytes]:
    blocks: list[bytes] = []
    while content:
        size = _BLOCK_BYTES[len(blocks) % len(_BLOCK_BYTES)]
        blocks.append(content[:size])
        content = content[size:]
    return blocks
