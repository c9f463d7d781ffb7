"""Children that read what strangers sent."""

import asyncio
from typing import Any

import pytest
import uvloop

from turnpike.embedding.children import Bounds, Ended, run_child


def test_a_child_that_ends_before_it_is_sent_anything_says_why(monkeypatch: pytest.MonkeyPatch):
    start = asyncio.create_subprocess_exec

    async def started_and_ended(*arguments: Any, **options: Any) -> Any:
        child = await start("sh", "-c", "echo no room >&2; exit 3", **options)
        await child.wait()
        return child

    monkeypatch.setattr(asyncio, "create_subprocess_exec", started_and_ended)
    bounds = Bounds(seconds=15, memory_bytes=1 << 28)

    # The services' own loop: asyncio's raises other things.
    ended = uvloop.run(run_child("turnpike.embedding.extractors", "", b"x" * 10, bounds))

    assert ended == Ended(answer=b"", code=3, complaint="no room")
