"""Rerankers over HTTP, in the form that Cohere, Jina and those like them have."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import orjson

from turnpike.embedding.model import RerankingError
from turnpike.embedding.rerankers.scores import read_scores
from turnpike.embedding.specs import WireReranker
from turnpike.telemetry import traceparent

if TYPE_CHECKING:
    import aiohttp

_OK = 200


class WireScores:
    """Asks over plain HTTP, on connections that are kept."""

    def __init__(self, spec: WireReranker) -> None:
        self._spec = spec
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def scores(self, query: str, texts: Sequence[str]) -> list[float]:
        """Returns how well each text matches; raises `RerankingError`."""
        import aiohttp

        from turnpike.egress.sessions import open_session

        if self._session is None:
            # The address is the operator's own choice, and may be their own network's.
            self._session = open_session(allow_private=True)
        try:
            async with self._session.post(
                self._spec.url,
                data=self._body(query, texts),
                headers=self._headers(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._spec.timeout),
            ) as response:
                document = await response.read()
        except (aiohttp.ClientError, aiohttp.InvalidURL, OSError, ValueError) as error:
            raise RerankingError(f"it does not answer: {type(error).__name__}") from error
        if response.status != _OK:
            raise RerankingError(f"it answers {response.status}")
        try:
            return read_scores(orjson.loads(document)["results"], len(texts))
        except (ValueError, KeyError, TypeError) as error:
            raise RerankingError("its answer has not the form of a ranking") from error

    def _body(self, query: str, texts: Sequence[str]) -> bytes:
        body: dict[str, Any] = {
            "model": self._spec.model,
            "query": query,
            "documents": list(texts),
            "top_n": len(texts),
        }
        return orjson.dumps(body)

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "traceparent": traceparent()}
        if key := self._spec.api_key.get_secret_value():
            headers["authorization"] = f"Bearer {key}"
        return headers
