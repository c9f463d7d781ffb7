"""Embedding one group of texts after the other."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

from turnpike.embedding.embedder import Asked, Embedder
from turnpike.embedding.model import Embeddings, QueueFullError

_GROUPS = 4
"""How many groups of one stream are worked on at a time."""


async def embed_groups(
    embedder: Embedder, groups: AsyncIterator[Asked]
) -> AsyncGenerator[Embeddings]:
    """Yields what became of each group, in their order.

    The next group is asked for when one is done; where others have filled the
    queue it waits for room. Raises what `Embedder.embed` raises, of the first group
    that fails.
    """
    under_way: deque[asyncio.Task[Embeddings]] = deque()
    coming: asyncio.Task[Asked | None] | None = _next(groups)
    try:
        while coming or under_way:
            reading = [coming] if coming and len(under_way) < _GROUPS else []
            first = [under_way[0]] if under_way else []
            await asyncio.wait([*reading, *first], return_when=asyncio.FIRST_COMPLETED)
            if first and first[0].done():
                yield under_way.popleft().result()
            if reading and coming and coming.done():
                group = coming.result()
                if group is not None:
                    under_way.append(asyncio.create_task(_embed(embedder, group)))
                coming = _next(groups) if group is not None else None
    finally:
        left: list[asyncio.Task[Any]] = [*under_way, *([coming] if coming else [])]
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)


def _next(groups: AsyncIterator[Asked]) -> "asyncio.Task[Asked | None]":
    async def read() -> Asked | None:
        return await anext(groups, None)

    return asyncio.create_task(read())


async def _embed(embedder: Embedder, group: Asked) -> Embeddings:
    while True:
        try:
            return await embedder.embed(group)
        except QueueFullError as full:
            assert full.retry_after is not None  # noqa: S101 -- it always says
            await asyncio.sleep(full.retry_after.total_seconds())
