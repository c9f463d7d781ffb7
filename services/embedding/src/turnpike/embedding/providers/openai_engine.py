"""Models of every endpoint that speaks the OpenAI wire format."""

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from turnpike.embedding.model import (
    Item,
    ModelUnusableError,
    ProviderError,
    ProviderUnreachableError,
)
from turnpike.embedding.providers.refusals import refusal
from turnpike.embedding.specs import ProviderSpec
from turnpike.telemetry import traceparent

if TYPE_CHECKING:
    import aiohttp

_BASE_URL = "https://api.openai.com/v1"
_OK = 200


class OpenAIEngine:
    """Asks over plain HTTP, on connections that are kept."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._session: aiohttp.ClientSession | None = None

    async def ready(self) -> None:
        """Loads the HTTP client."""
        if self._session is None:
            from turnpike.egress.sessions import open_session

            # The address is the operator's own choice, and may be their own network's.
            self._session = open_session(allow_private=True)

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()

    async def embed(self, items: Sequence[Item], width: int) -> list[bytes]:
        """Returns the vector of each text; the width says nothing here."""
        import aiohttp

        session, name = self._session, self._spec.name
        assert session is not None  # noqa: S101 -- it is ready first
        try:
            async with session.post(
                _endpoint(self._spec),
                data=self._body(items),
                headers=self._headers(),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=self._spec.timeout),
            ) as response:
                document = await response.read()
        except (aiohttp.InvalidURL, ValueError) as error:
            raise ModelUnusableError(name, "its configuration is no request") from error
        except (aiohttp.ClientError, OSError) as error:
            raise ProviderUnreachableError(name) from error
        if response.status != _OK:
            said = document.decode(errors="replace")
            secret = self._spec.api_key.get_secret_value()
            raise refusal(name, response.status, response.headers, said, secret=secret)
        return await asyncio.to_thread(self._read, document, len(items))

    def _body(self, items: Sequence[Item]) -> bytes:
        body: dict[str, Any] = {
            "model": self._spec.model,
            "input": [item.text for item in items],
            "encoding_format": "base64",
        }
        if self._spec.shortens:
            body["dimensions"] = self._spec.dimensions
        return orjson.dumps(body)

    def _headers(self) -> dict[str, str]:
        headers = {"content-type": "application/json", "traceparent": traceparent()}
        if key := self._spec.api_key.get_secret_value():
            headers["authorization"] = f"Bearer {key}"
        return headers

    def _read(self, document: bytes, texts: int) -> list[bytes]:
        from turnpike.embedding.providers.vectors import read_vectors

        name, dimensions = self._spec.name, self._spec.dimensions
        try:
            entries = orjson.loads(document)["data"]
        except (orjson.JSONDecodeError, KeyError, TypeError) as error:
            raise ProviderError(name, "its answer has not the form of embeddings") from error
        return read_vectors(name, entries, texts=texts, dimensions=dimensions)


def _endpoint(spec: ProviderSpec) -> str:
    parts = urlsplit(spec.base_url or _BASE_URL)
    return urlunsplit(parts._replace(path=f"{parts.path.rstrip('/')}/embeddings"))
