"""Models of every other provider, through litellm."""

import asyncio
from collections.abc import Sequence
from typing import Any

from turnpike.embedding.litellm_library import NO_KEY, Litellm
from turnpike.embedding.model import Item, ModelUnusableError, ProviderUnreachableError
from turnpike.embedding.providers.refusals import refusal
from turnpike.embedding.specs import ProviderSpec

# By themselves these would cut what is too long, and say nothing.
_NEVER_CUT: dict[str, dict[str, Any]] = {
    "cohere": {"truncate": "NONE"},
    "voyage": {"truncation": False},
}


class LitellmEngine:
    """Asks any provider that litellm knows; litellm is imported when it is first needed."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._library = Litellm()

    async def ready(self) -> None:
        """Imports litellm: seconds, and 200 MB, the first time."""
        await self._library.get()

    async def close(self) -> None:
        """Closes litellm's connections."""
        await self._library.close()

    async def embed(self, items: Sequence[Item], width: int) -> list[bytes]:
        """Returns the vector of each text; the width says nothing here."""
        library: Any = await self._library.get()
        try:
            response = await library.aembedding(**self._arguments(items))
        except Exception as error:
            # A hundred providers raise what they like.
            raise self._refusal(error) from error
        return await asyncio.to_thread(self._read, response.data, len(items))

    def _arguments(self, items: Sequence[Item]) -> dict[str, Any]:
        spec = self._spec
        arguments: dict[str, Any] = {
            "model": spec.model,
            "input": [item.text for item in items],
            "custom_llm_provider": spec.provider,
            "api_key": spec.api_key.get_secret_value() or NO_KEY,
            "api_base": spec.base_url or None,
            "timeout": spec.timeout,
            "max_retries": 0,
        }
        if spec.shortens:
            arguments["dimensions"] = spec.dimensions
        return arguments | _NEVER_CUT.get(spec.provider, {})

    def _read(self, entries: Any, texts: int) -> list[bytes]:
        from turnpike.embedding.providers.vectors import read_vectors

        name, dimensions = self._spec.name, self._spec.dimensions
        return read_vectors(name, entries, texts=texts, dimensions=dimensions)

    def _refusal(self, error: Exception) -> Exception:
        name, status = self._spec.name, getattr(error, "status_code", None)
        if type(error).__name__ in ("APIConnectionError", "Timeout"):
            return ProviderUnreachableError(name)
        if not isinstance(status, int):
            return ModelUnusableError(name, "its configuration is no request")
        headers = getattr(getattr(error, "response", None), "headers", None) or {}
        secret = self._spec.api_key.get_secret_value()
        return refusal(name, status, dict(headers), str(error), secret=secret)
