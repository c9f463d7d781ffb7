"""Rerankers of every provider that litellm knows."""

from collections.abc import Sequence
from typing import Any

from turnpike.embedding.litellm_library import NO_KEY, Litellm
from turnpike.embedding.model import RerankingError
from turnpike.embedding.rerankers.scores import read_scores
from turnpike.embedding.specs import LitellmReranker


class LitellmScores:
    """Asks through litellm; until it is imported, searches do without."""

    def __init__(self, spec: LitellmReranker) -> None:
        self._spec = spec
        self._library = Litellm()

    async def close(self) -> None:
        """Closes litellm's connections."""
        await self._library.close()

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text matches; raises `RerankingError`."""
        library: Any = await self._library.get()
        try:
            response = await library.arerank(**self._arguments(query, texts))
        except Exception as error:
            # A hundred providers raise what they like.
            raise RerankingError(f"it does not answer: {type(error).__name__}") from error
        try:
            return read_scores(response.results, len(texts))
        except (ValueError, KeyError, TypeError) as error:
            raise RerankingError("its answer has not the form of a ranking") from error

    def _arguments(self, query: str, texts: Sequence[str]) -> dict[str, Any]:
        spec = self._spec
        return {
            "model": spec.model,
            "query": query,
            "documents": list(texts),
            "top_n": len(texts),
            "return_documents": False,
            "custom_llm_provider": spec.provider,
            "api_key": spec.api_key.get_secret_value() or NO_KEY,
            "api_base": spec.base_url or None,
            "timeout": spec.timeout,
            "max_retries": 0,
        }
