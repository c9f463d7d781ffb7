"""litellm, which takes seconds to be imported, and 200 MB."""

import asyncio
import logging
import os
from importlib import import_module
from types import ModuleType

# There is no other way to tell litellm: no prices, no lists of beta features and no presets
# from the network, and no `.env` of the current folder.
_BEFORE_IMPORT = {
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
}
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

NO_KEY = "none"
"""Without a key litellm would take one from this service's environment."""


class Litellm:
    """The library, imported when it is first needed; whoever waits for it may give up."""

    def __init__(self) -> None:
        self._loading: asyncio.Task[ModuleType] | None = None

    async def get(self) -> ModuleType:
        """Returns it."""
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(_load))
        return await asyncio.shield(self._loading)

    async def close(self) -> None:
        """Closes its connections."""
        if self._loading is not None and self._loading.done():
            await self._loading.result().close_litellm_async_clients()


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
