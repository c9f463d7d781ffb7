"""People who decide: turns that wait for them, and decisions that leave at once."""

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Self

from tests.e2e.edge import JSON, Edge
from tests.e2e.folding import Fold
from tests.faults.effects import KEY
from tests.faults.stage import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping
    from urllib.parse import SplitResult

FIRST = "call_1_0"
ASKS: "Mapping[str, Any]" = {"tools": ["effects/*"], "policy": {"ask": ["*/*"]}}


def said(kind: str, call_id: str = FIRST, **fields: Any) -> JSON:
    """Returns a body that decides one call."""
    return {"decisions": [{"call_id": call_id, "kind": kind, **fields}]}


async def begun(edge: Edge, agent: str) -> tuple[JSON, JSON]:
    """Starts a turn; returns it with what it waits for, once it does."""
    turn = await edge.start(agent)
    return turn, await asked(edge, turn["id"])


async def asked(edge: Edge, turn: str, after: int = 0) -> JSON:
    """Returns the next `approval.required` of a turn's log; an empty one when it ends first."""
    fold = Fold(after=after)
    async with edge.stream("GET", f"/turns/{turn}/events?after={after}") as stream:
        async for event in stream.events():
            fold.take(event)
            if event.type == "approval.required":
                return event.fields
    return {}


async def decide(edge: Edge, approval: str, body: Any) -> JSON:
    """Decides an approval."""
    return await edge.call("POST", f"/approvals/{approval}:decide", body)


def effects_by_turn(stage: Stage) -> "Counter[str]":
    """Counts the effects of each turn."""
    keys = (str((entry.meta or {})[KEY]) for entry in stage.journal.entries("effect"))
    return Counter(key.partition(":")[0] for key in keys)


class Line:
    """A connection to a gateway that stands, so that a decision leaves the moment it is made."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, key: str
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._headers = (
            f"host: {host}\r\nauthorization: Bearer {key}\r\ncontent-type: application/json\r\n"
        )

    @classmethod
    @asynccontextmanager
    async def to(cls, place: "SplitResult", key: str) -> "AsyncGenerator[Self]":
        """Connects while inside."""
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            yield cls(reader, writer, place.netloc, key)
        finally:
            writer.close()

    def send(self, approval: str, body: JSON) -> None:
        """Sends a decision; it is with the kernel when this returns."""
        content = json.dumps(body)
        self._writer.write(
            f"POST /api/v1/approvals/{approval}:decide HTTP/1.1\r\n{self._headers}"
            f"content-length: {len(content)}\r\n\r\n{content}".encode()
        )

    async def status(self) -> int:
        """Returns the status of the answer, having read all of it."""
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode()
        lengths = [
            int(line.partition(":")[2])
            for line in head.splitlines()
            if line.lower().startswith("content-length:")
        ]
        await self._reader.readexactly(lengths[0])
        return int(head.split()[1])
