"""Ordering what was found anew, by a model that reads question and text together."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from turnpike.embedding.model import RerankingError
from turnpike.embedding.searching.model import Result
from turnpike.telemetry import span

logger = logging.getLogger(__name__)


class Scores(Protocol):
    """A reranker."""

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text matches; raises `RerankingError`."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Reranker:
    """A reranker, and how long it is waited for."""

    scores: Scores
    timeout: float
    """Seconds."""

    candidates: int
    """How many results it reads."""

    async def reranked(self, query: str, results: Sequence[Result]) -> list[Result] | None:
        """Returns the results in their new order; None if it is late, or has none."""
        read, rest = results[: self.candidates], results[self.candidates :]
        texts = ["\n".join((*each.headings, each.header, each.text)).strip() for each in read]
        try:
            with span("rerank"):
                async with asyncio.timeout(self.timeout):
                    scores = await self.scores.scores(query, texts)
        except (RerankingError, TimeoutError) as error:
            logger.info("what was found keeps its order: %s", error)
            return None
        scored = zip(scores, read, strict=True)
        # Of equals the one that was before stays before.
        best = sorted(scored, key=lambda pair: -pair[0])
        return [*(replace(each, score=score) for score, each in best), *rest]
