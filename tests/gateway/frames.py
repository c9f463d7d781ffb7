"""Frames of event streams, as clients read them."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import orjson


async def frames(response: httpx.Response) -> AsyncIterator[str]:
    """Yields what is between blank lines, comments included."""
    rest = ""
    async for chunk in response.aiter_text():
        rest += chunk
        while "\n\n" in rest:
            frame, _, rest = rest.partition("\n\n")
            yield frame


def seq(frame: str) -> int:
    return int(frame.splitlines()[0].removeprefix("id: "))


def document(frame: str) -> dict[str, Any]:
    return orjson.loads(frame.splitlines()[2].removeprefix("data: "))


async def next_event(stream: AsyncIterator[str]) -> str:
    async for frame in stream:
        if frame.startswith("id: "):
            return frame
    raise AssertionError("the stream ended")
