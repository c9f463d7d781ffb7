"""A cross-encoder in this process: an export by its path."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from turnpike.embedding.lazy import Lazy
from turnpike.embedding.model import RerankingError
from turnpike.embedding.specs import LocalReranker

if TYPE_CHECKING:
    from turnpike.embedding.rerankers.pairs import Pairs


class CrossEncoderScores:
    """Reads pairs in a thread of its own, one question at a time.

    Who would have to wait for another is told so at once: a ranking that is late is none.
    """

    def __init__(self, spec: LocalReranker) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="rerank")
        self._busy = False
        self._pairs = Lazy(self._thread, lambda: _load(spec))

    async def close(self) -> None:
        """Ends the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text matches; raises `RerankingError`."""
        if self._busy:
            raise RerankingError("it reads for another search")
        pairs = await self._pairs.get()
        self._busy = True
        work = asyncio.get_running_loop().run_in_executor(self._thread, pairs.scores, query, texts)
        # Whoever gives up waiting does not end the thread's work.
        work.add_done_callback(lambda _: setattr(self, "_busy", False))
        return await asyncio.shield(work)


def _load(spec: LocalReranker) -> "Pairs":
    from turnpike.embedding.rerankers.pairs import Pairs

    return Pairs(spec.path, max_tokens=spec.max_tokens)
