"""Streaming from every other provider, through litellm."""

import asyncio
import importlib
import os
import re
from collections.abc import AsyncGenerator, Mapping
from types import ModuleType
from typing import Any

import aiohttp
import orjson

from turnpike.agent_runtime.models.litellm_chunks import LitellmReader
from turnpike.agent_runtime.models.litellm_messages import messages_of, tools_of
from turnpike.agent_runtime.models.marking import cache_arguments
from turnpike.agent_runtime.models.prompt import Model, ModelError, Piece, Prompt
from turnpike.agent_runtime.models.refusals import refusal, shown, unreachable

_LIBRARY = "turnpike.agent_runtime.models.litellm_library"
# There is no other way to tell litellm: no prices, no lists of beta features and no presets
# from the network, which it would ask past our session, and no `.env` of the current folder.
_BEFORE_IMPORT = {
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_MODE": "PRODUCTION",
}
# `ID:SECRET`, or `ID:SECRET:SESSION`; any other key of Bedrock's is one of its API keys.
_AWS_KEYS = re.compile(r"(A[KS]IA[A-Z0-9]{12,}):([^:]+)(?::([^:]+))?")
# Without a key litellm would take one from this service's environment.
_NO_KEY = "none"


class LitellmClient:
    """Asks any provider that litellm knows; litellm is imported when it is first needed."""

    def __init__(self) -> None:
        self._loading: asyncio.Task[ModuleType] | None = None

    async def stream(
        self, prompt: Prompt, session: aiohttp.ClientSession
    ) -> AsyncGenerator[list[Piece]]:
        """Yields pieces: those of one of litellm's chunks, as one list.

        The session belongs to whoever made it.
        """
        library = await self._loaded()
        library.session.set(session)
        received: list[Any] = []
        library.responses.set(received)
        try:
            chunks = await library.ask(prompt.model.provider, _arguments(prompt))
            reader = LitellmReader(lambda: library.has_ended(chunks))
            async for chunk in chunks:
                if pieces := reader.read(chunk):
                    yield pieces
        except ModelError:
            raise
        except Exception as error:
            # A hundred providers raise what they like. Whatever it is, the turn
            # ends by one of our reasons.
            if library.is_unreachable(error):
                raise unreachable(error, secret=prompt.model.api_key) from error
            raise _model_error(error, prompt.model.api_key) from error
        finally:
            for response in received:
                await response.aclose()

    async def _loaded(self) -> ModuleType:
        if self._loading is None or (self._loading.done() and self._loading.exception()):
            self._loading = asyncio.create_task(asyncio.to_thread(load))
        # Who gives up leaves it to those who come after.
        return await asyncio.shield(self._loading)


def load() -> ModuleType:
    """Returns litellm, set up. The first time takes seconds, and 200 MB."""
    for name, value in _BEFORE_IMPORT.items():
        os.environ[name] = value  # noqa: TID251 # the library's only way to be told
    library = importlib.import_module(_LIBRARY)
    library.set_up()
    return library


def _arguments(prompt: Prompt) -> dict[str, Any]:
    model = prompt.model
    arguments: dict[str, Any] = {
        "model": model.model,
        "messages": messages_of(prompt),
        "api_key": model.api_key or _NO_KEY,
        "api_base": model.base_url or None,
        "extra_headers": {"traceparent": prompt.traceparent},
    }
    _add_options(arguments, model)
    if model.max_output:
        arguments["max_tokens"] = model.max_output
    arguments |= cache_arguments(prompt.caching)
    if prompt.parameters:
        arguments |= orjson.loads(prompt.parameters)
    if tools := tools_of(prompt):
        arguments["tools"] = tools
    return arguments


def _add_options(arguments: dict[str, Any], model: Model) -> None:
    if version := model.option("api_version"):
        arguments["api_version"] = version
    if beta := model.option("beta"):
        arguments["extra_headers"]["anthropic-beta"] = beta
    if model.provider == "bedrock":
        if region := model.option("region"):
            arguments["aws_region_name"] = region
        if found := _AWS_KEYS.fullmatch(model.api_key):
            # It signs with these. No key at all would be one of this service's environment.
            names = ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")
            arguments |= dict(zip(names, found.groups(), strict=True)) | {"api_key": ""}


def _model_error(error: Exception, secret: str) -> ModelError:
    said = str(getattr(error, "message", error)).partition("Exception - ")
    text = said[2] or said[0]
    status: Any = getattr(error, "status_code", None)
    if isinstance(status, int):
        kind = type(error).__name__
        return refusal(status, text, _headers(error), secret=secret, kind=kind)
    message = f"the model cannot be asked: {shown(text, secret)}"
    return ModelError("MODEL_UNUSABLE", message, transient=False)


def _headers(error: Exception) -> Mapping[str, str]:
    """Returns the response's headers, wherever litellm put them."""
    response: Any = getattr(error, "response", None)
    for found in (
        getattr(error, "litellm_response_headers", None),
        getattr(response, "headers", None),
    ):
        if found:
            return {str(name).lower(): str(value) for name, value in dict(found).items()}
    return {}
