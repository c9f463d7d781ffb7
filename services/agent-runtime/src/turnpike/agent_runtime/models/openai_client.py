"""Streaming from every endpoint that speaks the OpenAI wire format."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress
from urllib.parse import urlencode, urlsplit, urlunsplit

import aiohttp

from turnpike.agent_runtime.models.caching import provider_behind
from turnpike.agent_runtime.models.openai_chunks import ChunkReader
from turnpike.agent_runtime.models.openai_wire import error_message, request_body
from turnpike.agent_runtime.models.prompt import Model, ModelError, Piece, Prompt
from turnpike.agent_runtime.models.refusals import refusal, shown, unreachable

DEFAULT_BASE_URL = "https://api.openai.com/v1"

_OK = 200
_ERROR_BYTES = 64 << 10
_ERROR_SECONDS = 5.0
# What follows the end is read for so long, that the connection may be kept.
_LAST_BYTES_SECONDS = 0.05
# Some servers give a stream no type, or a wrong one; these are never a stream.
_NO_STREAMS = frozenset({"application/json", "text/html"})


class OpenAIClient:
    """Asks over plain HTTP, on connections that are kept; one JSON decode a chunk."""

    async def stream(
        self, prompt: Prompt, session: aiohttp.ClientSession
    ) -> AsyncGenerator[list[Piece]]:
        """Yields pieces: all that came in one read of the connection, as one list.

        The session belongs to whoever made it.
        """
        secret = prompt.model.api_key
        reader = ChunkReader(secret)
        try:
            async with session.post(
                _endpoint(prompt.model),
                data=request_body(prompt),
                headers=_headers(prompt),
                allow_redirects=False,
            ) as response:
                if response.status != _OK or response.content_type in _NO_STREAMS:
                    raise await _refusal(response, secret)
                try:
                    while not reader.done and (block := await _block(response.content)):
                        if pieces := reader.read(block):
                            yield pieces
                        reader.check()
                finally:
                    if reader.ended:
                        await _read_out(response.content)
        except (aiohttp.InvalidURL, aiohttp.NonHttpUrlClientError, ValueError) as error:
            # Also a header that would be two: a credential with a line break.
            message = f"the model's configuration is no request: {shown(str(error), secret)}"
            raise ModelError("MODEL_UNUSABLE", message, transient=False) from error
        except (aiohttp.ClientError, OSError) as error:
            raise unreachable(error, secret=secret) from error


def _headers(prompt: Prompt) -> dict[str, str]:
    headers = {
        "accept": "text/event-stream",
        # Packing would hold words back.
        "accept-encoding": "identity",
        "content-type": "application/json",
        "traceparent": prompt.traceparent,
    }
    if beta := prompt.model.option("beta"):
        headers["openai-beta"] = beta
    if prompt.model.api_key:
        headers |= _credential(prompt.model)
    return headers


def _credential(model: Model) -> dict[str, str]:
    # Azure takes its keys by a name of its own; a bearer is a token of its directory's there.
    if provider_behind(model) == "azure":
        return {"api-key": model.api_key}
    return {"authorization": f"Bearer {model.api_key}"}


def _endpoint(model: Model) -> str:
    parts = urlsplit(model.base_url or DEFAULT_BASE_URL)
    path = f"{parts.path.rstrip('/')}/chat/completions"
    query = parts.query
    if version := model.option("api_version"):
        query = "&".join(filter(None, (query, urlencode({"api-version": version}))))
    return urlunsplit(parts._replace(path=path, query=query))


async def _block(content: aiohttp.StreamReader) -> bytes:
    """Returns what came; a connection that broke does not hide what came before."""
    try:
        return await content.readany()
    except aiohttp.ClientError:
        left = content._read_nowait(-1)  # pyright: ignore[reportPrivateUsage] # all others raise
        if not left:
            raise
        return left


async def _refusal(response: aiohttp.ClientResponse, secret: str) -> ModelError:
    document = b""
    with suppress(TimeoutError):
        async with asyncio.timeout(_ERROR_SECONDS):
            document = await response.content.read(_ERROR_BYTES)
    said, kind = error_message(document)
    if response.status == _OK:
        message = f"the provider answered {response.content_type}: {shown(said, secret)}"
        return ModelError("PROVIDER_ERROR", message, transient=False)
    return refusal(response.status, said, response.headers, secret=secret, kind=kind)


async def _read_out(content: aiohttp.StreamReader) -> None:
    with suppress(TimeoutError, aiohttp.ClientError):
        async with asyncio.timeout(_LAST_BYTES_SECONDS):
            while await content.readany():
                pass
