"""Models of every other provider, through litellm."""

import asyncio
import logging
import os
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Any

from turnpike.embedding.model import Item, ModelUnusableError, ProviderUnreachableError
from turnpike.embedding.providers.refusals import refusal
from turnpike.embedding.specs import ProviderSpec

# There is no other way to tell litellm: no prices, no lists of beta features and no presets
# from the network, and no `.env` of the current folder.
_BEFORE_IMPORT = {
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")
# By themselves these would cut what is too long, and say nothing.
_NEVER_CUT: dict[str, dict[str, Any]] = {
    "cohere": {"truncate": "NONE"},
    "voyage": {"truncation": False},
}
# Without a key litellm would take one from this service's environment.
_NO_KEY = "none"


class LitellmEngine:
    """Asks any provider that litellm knows; litellm is imported when it is first needed."""

    def __init__(self, spec: ProviderSpec) -> None:
        self._spec = spec
        self._loading: asyncio.Task[ModuleType] | None = None

    async def ready(self) -> None:
        """Imports litellm: seconds, and 200 MB, the first time."""
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(_load))
        await asyncio.shield(self._loading)

    async def close(self) -> None:
        """Closes litellm's connections."""
        if self._loading is not None and self._loading.done():
            await self._loading.result().close_litellm_async_clients()

    async def embed(self, items: Sequence[Item], width: int) -> list[bytes]:
        """Returns the vector of each text; the width says nothing here."""
        assert self._loading is not None  # noqa: S101 -- it is ready first
        library: Any = self._loading.result()
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
            "api_key": spec.api_key.get_secret_value() or _NO_KEY,
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


def _load() -> ModuleType:
    for name, value in _BEFORE_IMPORT.items():
        os.environ[name] = value  # noqa: TID251 # the library's only way to be told
    litellm = import_module("litellm")
    litellm.suppress_debug_info = True  # pyright: ignore[reportAttributeAccessIssue]
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.ERROR)
    return litellm
