"""What else a replica does, at the same time on the same loop."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from itertools import count

from tests.embedding.knowledge.sequences import revert
from tests.embedding.knowledge.serving import Library, Tenant
from tests.embedding.knowledge.test_indexing import pdf
from tests.embedding.serving import single_tokens
from turnpike.embedding.model import Strategy

_LINES, _WORDS = 400, 150_000


@asynccontextmanager
async def disturbed(shelves: Library) -> AsyncGenerator[Counter[str]]:
    """While the block runs, files are extracted, texts chunked, and changes reverted."""
    done, reader, writer = Counter[str](), shelves.tenant(), shelves.tenant()
    # Apart: each text that a tenant writes is indexed, and its files come after those before.
    for tenant in (reader, writer):
        await tenant.begin(language="english")
    tasks = [
        asyncio.create_task(_extract(reader, done)),
        asyncio.create_task(_chunk(shelves, done)),
        asyncio.create_task(_revert(writer, done)),
    ]
    try:
        yield done
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                print(f"stopped: {ended!r}")


async def _extract(tenant: Tenant, done: Counter[str]) -> None:
    for number in count():
        lines = ") Tj T* (".join(f"Line {line} of file {number}." for line in range(_LINES))
        await tenant.put(f"/{number}.pdf", pdf(lines))
        await tenant.indexed(f"/{number}.pdf")
        done["PDFs extracted and indexed"] += 1


async def _chunk(shelves: Library, done: Counter[str]) -> None:
    words = random.Random(3).choices(single_tokens(), k=_WORDS)
    text = "\n\n".join(" ".join(words[at : at + 100]) for at in range(0, _WORDS, 100))
    while True:
        await shelves.counted.embedder.chunk(
            text, model="", strategy=Strategy.RECURSIVE, max_tokens=0, overlap=0
        )
        done["texts of a million characters chunked"] += 1


async def _revert(tenant: Tenant, done: Counter[str]) -> None:
    for number in count():
        written = await tenant.put("/a.md", f"text {number}")
        await revert(tenant, collection="notes", change=written.change.id)
        done["changes reverted"] += 1
