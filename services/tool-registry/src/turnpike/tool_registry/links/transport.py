"""HTTP to an MCP server, with each failure kept to the request that it befell.

The SDK's transport ends the whole session when one POST fails, and with it every
other call under way. Here a failure becomes a JSON-RPC error that answers the one
request, with a code that says whether the request can have been executed.
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, cast

import httpx2
import orjson

from turnpike.egress.transports import GuardedTransport, ResponseTooLargeError
from turnpike.tool_registry.links.causes import fault_of
from turnpike.tool_registry.links.faults import (
    FAILED,
    LOST,
    REFUSED,
    SESSION_ENDED,
    UNSENT,
)
from turnpike.tool_registry.links.telling import Telling
from turnpike.tool_registry.model import Fault

# Errors that say that no byte of the request left.
_UNSENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout)
# A proxy's words for "the server did not answer me": it may be at work.
_AMBIGUOUS = frozenset({502, 503, 504})
_STATUS_FAULTS = {401: Fault.AUTH_NEEDED, 403: Fault.FORBIDDEN}
# Scopes as RFC 6749 spells them.
_SCOPE = re.compile(r'scope="([\x21\x23-\x5b\x5d-\x7e ]{1,1000})"')
_NOTHING: Mapping[str, str] = MappingProxyType({})
_JSON = "application/json"
LISTEN = "subscriptions/listen"
"""The method that asks a server to tell of changes, where the protocol is stateless."""

_SESSION = "mcp-session-id"
# How long the end of a stream is waited for, after its last event.
_END_SECONDS = 0.1
# A connection that was idle may be long dead: the second try takes another one.
_END_TRIES = 2
_END_SESSION_SECONDS = 15.0


class ContainedTransport(httpx2.AsyncBaseTransport):
    """Answers every request: with the server's response, or with what went wrong."""

    def __init__(self, inner: GuardedTransport, telling: Telling) -> None:
        self._inner = inner
        self._telling = telling
        self.has_session = False
        """Whether the server gave a session, or spoke within one."""

        self.wanted_credential = False
        """Whether the server answered 401 to anything."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends `request`; raises nothing but what cancels it."""
        if request.method == "DELETE":
            return await self._ended(request)
        response = await self._answered(request)
        if request.method == "GET" or request.headers.get("mcp-method") == LISTEN:
            self._note_stream(response)
        return response

    async def _ended(self, request: httpx2.Request) -> httpx2.Response:
        """Ends the session: nobody else would, and a server may keep it for ever."""
        for _ in range(_END_TRIES):
            with suppress(TimeoutError, httpx2.TransportError):
                async with asyncio.timeout(_END_SESSION_SECONDS):
                    return await self._inner.handle_async_request(request)
        return _answer(UNSENT, "the session was not ended", Fault.CONNECTION_LOST)

    def _note_stream(self, response: httpx2.Response) -> None:
        if not _is_stream(response):
            self._telling.refuse(response.status_code)
            return
        stream = cast("httpx2.AsyncByteStream", response.stream)
        response.stream = _ToldStream(stream, self._telling)

    async def _answered(self, request: httpx2.Request) -> httpx2.Response:
        try:
            response = await self._inner.handle_async_request(request)
            self.has_session = self.has_session or _SESSION in response.headers
            self.wanted_credential = self.wanted_credential or response.status_code == 401
            return await _settled(request, response)
        except _UNSENT as error:
            return _answer(UNSENT, _words(error, "cannot connect"), fault_of(error))
        except ResponseTooLargeError as error:
            return _answer(FAILED, str(error), Fault.TOO_LARGE)
        except httpx2.TransportError as error:
            return _answer(LOST, _words(error, "the connection was lost"), fault_of(error))

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._inner.aclose()


class _CutStream(httpx2.AsyncByteStream):
    """Ends where the connection ended, instead of raising.

    The SDK closes a stream when it has its answer, in which the stream's end may not have
    been read yet: read, the connection serves the next request too.
    """

    def __init__(self, stream: httpx2.AsyncByteStream) -> None:
        self._stream = stream
        self._chunks = aiter(stream)

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        try:
            async for chunk in self._chunks:
                yield chunk
        except httpx2.TransportError:
            return

    async def aclose(self) -> None:
        try:
            # Who waits for the answer has it already.
            with suppress(TimeoutError, httpx2.TransportError, ResponseTooLargeError):
                async with asyncio.timeout(_END_SECONDS):
                    await anext(self._chunks, None)
        finally:
            await self._stream.aclose()


class _ToldStream(httpx2.AsyncByteStream):
    """Says when the server begins to tell on it, and when it ends."""

    def __init__(self, stream: httpx2.AsyncByteStream, telling: Telling) -> None:
        self._stream = stream
        self._telling = telling
        telling.begin()

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        async for chunk in self._stream:
            yield chunk

    async def aclose(self) -> None:
        self._telling.end()
        await self._stream.aclose()


def _is_stream(response: httpx2.Response) -> bool:
    content_type = response.headers.get("content-type", "").lower()
    return response.status_code < 400 and content_type.startswith("text/event-stream")


async def _settled(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    status = response.status_code
    if _is_stream(response):
        response.stream = _CutStream(cast("httpx2.AsyncByteStream", response.stream))
        return response
    if request.method != "POST" or 300 <= status < 400:
        return response
    try:
        await response.aread()
    finally:
        await response.aclose()
    if status >= 400:
        return _refusal(request, response)
    if response.headers.get("content-type", "").lower().startswith(_JSON):
        return _with_plain_error(response, FAILED)
    if not _is_request(request):
        return response
    return _answer(LOST, "the server's answer is no JSON", Fault.NOT_MCP)


def _refusal(request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
    status = response.status_code
    fault = _STATUS_FAULTS.get(status, Fault.HTTP_STATUS)
    if status == 403 and (scope := _missing_scope(response)):
        message = f"the credential is not for {scope!r}"
        return _answer(REFUSED, message, Fault.AUTH_NEEDED, {"scope": scope})
    if _is_about_session(request, response):
        return _answer(SESSION_ENDED, f"the server does not know the session: {status}", fault)
    if status < 500 and status not in _STATUS_FAULTS and _rpc_error(response) is not None:
        return _with_plain_error(response, REFUSED)
    code = REFUSED if status < 500 else LOST if status in _AMBIGUOUS else FAILED
    return _answer(code, f"the server answered {status}", fault)


def _is_about_session(request: httpx2.Request, response: httpx2.Response) -> bool:
    if response.status_code not in (400, 404):
        return False
    if _SESSION in request.headers:
        return response.status_code == 404 or b"session" in response.content.lower()
    # Sent without one: the server may have come to want one.
    return _rpc_error(response) is None


def _with_plain_error(response: httpx2.Response, code: int) -> httpx2.Response:
    # Servers use these two codes for what they like; the SDK makes them up itself
    # when no answer came. Only the latter may keep them.
    error = _rpc_error(response)
    if error is None or error.get("code") not in (-32000, -32001):
        return response
    return _answer(code, str(error.get("message", "")), Fault.SERVER_ERROR)


def _rpc_error(response: httpx2.Response) -> dict[str, Any] | None:
    if b'"error"' not in response.content:
        return None
    try:
        message = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    error = message.get("error") if isinstance(message, dict) else None
    return cast("dict[str, Any]", error) if isinstance(error, dict) else None


def _is_request(request: httpx2.Request) -> bool:
    message = orjson.loads(request.content)
    return "id" in message and "method" in message


def _missing_scope(response: httpx2.Response) -> str:
    """Returns what a credential falls short of, as RFC 6750 has it said."""
    challenge = response.headers.get("www-authenticate", "")
    found = _SCOPE.search(challenge) if "insufficient_scope" in challenge else None
    return found[1] if found else ""


def _answer(
    code: int, message: str, fault: Fault, others: Mapping[str, str] = _NOTHING
) -> httpx2.Response:
    error = {"code": code, "message": message, "data": {"fault": fault.value, **others}}
    body = {"jsonrpc": "2.0", "id": None, "error": error}
    return httpx2.Response(400, headers={"content-type": _JSON}, content=orjson.dumps(body))


def _words(error: Exception, otherwise: str) -> str:
    return f"{otherwise}: {error}" if str(error) else otherwise
