"""litellm, set up for a service that serves many tenants.

Importing this takes seconds and 200 MB; `litellm_client` does it late, in a thread.
"""

import logging
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from functools import cache
from typing import Any, NoReturn

import aiohttp
import httpx
import litellm
from litellm.exceptions import APIConnectionError, Timeout
from litellm.litellm_core_utils.prompt_templates.factory import (
    BedrockConverseMessagesProcessor as BedrockMessages,
)
from litellm.llms.custom_httpx import http_handler
from litellm.llms.custom_httpx.aiohttp_transport import LiteLLMAiohttpTransport
from litellm.llms.vertex_ai.gemini.vertex_and_google_ai_studio_gemini import (
    ModelResponseIterator as GoogleStream,
)

from turnpike.agent_runtime.models.prompt import ModelError

# Those of the providers that it knows which tenants' models may not name: `generate_caching.py`
# leaves them out. They take no credential of a call's own, but what they find on this machine
# (cloud accounts, files, a browser's sign-in), or are no model providers.
REFUSED = frozenset(
    {
        "a2a",
        "a2a_agent",
        "auto_router",
        "bedrock_mantle",
        "chatgpt",
        "custom",
        "dotprompt",
        "github_copilot",
        "humanloop",
        "langfuse",
        "litellm_agent",
        "oci",
        "petals",
        "sagemaker",
        "sagemaker_chat",
        "sagemaker_nova",
        "sap",
        "vertex_ai",
        "vertex_ai_beta",
        "vllm",
    }
)
_ENDED = "turnpike_has_ended"
_LOGGERS = ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy")

session: ContextVar[aiohttp.ClientSession] = ContextVar("session")
"""What the current call goes out by: its credential's own."""

responses: ContextVar[list[httpx.Response]] = ContextVar("responses")
"""What the current call has received, for whoever closes it.

litellm closes the streams of some providers only when they are collected.
"""


class _GuardedTransport(LiteLLMAiohttpTransport):
    """Sends litellm's requests through the call's session, which vets each address."""

    def get_valid_client_session(self) -> aiohttp.ClientSession:
        found = session.get(None)
        if found is None:
            raise httpx.ConnectError("nobody says by which connection to ask")
        return found

    _get_valid_client_session = get_valid_client_session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await super().handle_async_request(request)
        if (received := responses.get(None)) is not None:
            received.append(response)
        if response.is_redirect:
            await response.aclose()
            # What follows would be sent the credential.
            raise httpx.UnsupportedProtocol("the provider redirects, which is not followed")
        return response


class _NoTransport(httpx.BaseTransport):
    """Refuses what litellm would ask while the loop waits, past our session."""

    def handle_request(self, request: httpx.Request) -> NoReturn:
        raise httpx.ConnectError("this provider cannot be asked without blocking")


def _no_session() -> NoReturn:
    raise httpx.ConnectError("nobody says by which connection to ask")


_transport = _GuardedTransport(client=_no_session, owns_session=False)


def _noting_the_end(parse: Callable[..., Any]) -> Callable[..., Any]:
    """Google's own stream has no end for litellm: every chunk has one, by what it makes of it."""

    def chunk_parser(stream: Any, chunk: dict[str, Any]) -> Any:
        candidates: list[dict[str, Any]] = chunk.get("candidates") or []
        refused = (chunk.get("promptFeedback") or {}).get("blockReason")
        if refused or any(each.get("finishReason") for each in candidates):
            setattr(stream, _ENDED, True)
        return parse(stream, chunk)

    return chunk_parser


def _with_redacted(translate: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """Litellm makes an empty text of what Bedrock alone can read."""

    def translated(thinking_blocks: list[dict[str, Any]]) -> list[Any]:
        made: list[Any] = []
        for block in thinking_blocks:
            if block.get("type") == "redacted_thinking":
                made.append({"reasoningContent": {"redactedContent": block["data"]}})
            else:
                made.extend(translate([block]))
        return made

    return translated


@cache
def set_up() -> None:
    """Makes litellm silent, and sends all that it asks through the call's session.

    Its handlers take a transport from these functions wherever they are made,
    the OpenAI library's included; there is no setting for it.
    """
    handlers: Any = http_handler.AsyncHTTPHandler
    handlers.create_async_transport = staticmethod(lambda **_: _transport)
    blocking: Any = http_handler.HTTPHandler
    blocking._create_sync_transport = lambda _self: _NoTransport()
    google: Any = GoogleStream
    google.chunk_parser = _noting_the_end(google.chunk_parser)
    bedrock: Any = BedrockMessages
    bedrock.translate_thinking_blocks_to_reasoning_content_blocks = staticmethod(
        _with_redacted(bedrock.translate_thinking_blocks_to_reasoning_content_blocks)
    )
    library: Any = litellm
    library.disable_aiohttp_trust_env = True
    library.disable_streaming_logging = True
    library.drop_params = True
    library.suppress_debug_info = True
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.setLevel(logging.ERROR)


async def ask(provider: str, arguments: Mapping[str, Any]) -> Any:
    """Returns litellm's stream of a chat completion.

    Raises:
        ModelError: litellm does not know the provider, or it is none for tenants.
        Exception: Whatever litellm raises.
    """
    if provider not in litellm.provider_list or provider in REFUSED:
        raise ModelError("MODEL_UNUSABLE", f"unknown provider {provider!r}", transient=False)
    return await litellm.acompletion(
        custom_llm_provider=provider,
        stream=True,
        stream_options={"include_usage": True},
        max_retries=0,
        num_retries=0,
        **arguments,
    )


def has_ended(chunks: Any) -> bool:
    """Says whether the provider itself said that its model ended."""
    stream = chunks.completion_stream
    if isinstance(stream, GoogleStream):
        return getattr(stream, _ENDED, False)
    return bool(chunks.received_finish_reason)


def is_unreachable(error: BaseException) -> bool:
    """Says whether the connection failed, whatever litellm made of it."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, httpx.TransportError | APIConnectionError | Timeout):
            return True
        cause = cause.__cause__ or cause.__context__
    return False
