"""One session with an MCP server."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx2
import mcp_types
from mcp.client._probe import negotiate_auto  # pyright: ignore[reportPrivateUsage] # the SDK's Client brings its server along
from mcp.client.session import ClientSession
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import encode_header_value, mcp_param_headers, x_mcp_header_map
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from turnpike.egress.transports import GuardedTransport
from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.transport import ContainedTransport
from turnpike.tool_registry.model import Endpoint, Transport

_CLIENT = mcp_types.Implementation(name="turnpike", version="1")
OPEN_SECONDS = 60.0
"""How long a handshake may take; a first `npx` downloads."""

_STOP_SECONDS = 2.0
_MAX_MESSAGE_BYTES = 16 * 1024 * 1024
_TIMEOUTS = httpx2.Timeout(connect=10.0, write=30.0, read=None, pool=None)
# Refusals that the protocol defines as coming before any work.
_REFUSALS = frozenset(
    {
        mcp_types.INVALID_REQUEST,
        mcp_types.METHOD_NOT_FOUND,
        mcp_types.INVALID_PARAMS,
        mcp_types.HEADER_MISMATCH,
        mcp_types.UNSUPPORTED_PROTOCOL_VERSION,
        faults.REFUSED,
    }
)
# The SDK says "parse error" of an answer that it cannot read.
_LOST = frozenset(
    {
        mcp_types.PARSE_ERROR,
        mcp_types.CONNECTION_CLOSED,
        mcp_types.REQUEST_TIMEOUT,
        faults.LOST,
    }
)


class _WatchedDispatcher(JSONRPCDispatcher):
    """Says when the other side has gone."""

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.ended = asyncio.Event()

    async def run(self, *args: Any, **kwargs: Any) -> None:
        try:
            await super().run(*args, **kwargs)
        finally:
            self.ended.set()


class Link:
    """A session, held by the one task that runs `hold`; any task may send through it.

    The SDK's contexts must be left by the task that entered them.
    """

    def __init__(self, endpoint: Endpoint, *, allow_private: bool) -> None:
        self._endpoint = endpoint
        self._allow_private = allow_private
        self._closing = asyncio.Event()
        self._dispatcher: _WatchedDispatcher | None = None
        self._version = ""
        self._is_stateless = False
        self._calls = 0

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return (
            self._dispatcher is not None
            and not self._dispatcher.ended.is_set()
            and not self._closing.is_set()
        )

    def close(self) -> None:
        """Asks the holding task to end the session."""
        self._closing.set()

    async def hold(self, opened: "asyncio.Future[None]") -> None:
        """Opens the session, settles `opened`, and holds it until it ends or is closed.

        Whatever the SDK raises ends here, as an `UnreachableError` of `opened`.
        """
        try:
            await self._run(opened)
        except Exception as error:  # noqa: BLE001 # the SDK's errors are its own, in groups
            reason = faults.UnreachableError(_reason(error))
        else:
            reason = faults.UnreachableError("the server ended the session")
        if not opened.done():
            opened.set_exception(reason)

    async def list_tools(self, cursor: str | None) -> Mapping[str, Any]:
        """Returns one page of the server's tools as it sent them, or raises `LinkError`."""
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        return await self._send("tools/list", params, {})

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        meta: Mapping[str, Any],
        input_schema: Mapping[str, Any],
        is_unwanted: Callable[[], bool],
    ) -> Mapping[str, Any]:
        """Returns a tool's result as the server sent it, or raises `LinkError`.

        When the caller is cancelled the server is told to stop only if the result
        `is_unwanted`: a process that ends must not stop what others still want.
        """
        params = {"name": name, "arguments": arguments, "_meta": dict(meta)}
        headers: dict[str, str] = {}
        if self._is_stateless:
            headers["mcp-name"] = encode_header_value(name)
            headers.update(mcp_param_headers(x_mcp_header_map(input_schema), arguments))
        self._calls += 1
        request_id = f"turnpike-{self._calls}"
        try:
            return await self._send("tools/call", params, headers, request_id)
        except asyncio.CancelledError:
            if is_unwanted():
                await self._stop(request_id)
            raise

    async def _run(self, opened: "asyncio.Future[None]") -> None:
        async with self._streams() as (read_stream, write_stream):
            dispatcher = _WatchedDispatcher(read_stream, write_stream)
            async with ClientSession(dispatcher=dispatcher, client_info=_CLIENT) as session:
                async with asyncio.timeout(OPEN_SECONDS):
                    await negotiate_auto(session)
                self._version = session.protocol_version or ""
                self._is_stateless = self._version in MODERN_PROTOCOL_VERSIONS
                self._dispatcher = dispatcher
                opened.set_result(None)
                await self._until_over(dispatcher)

    async def _until_over(self, dispatcher: _WatchedDispatcher) -> None:
        async with asyncio.TaskGroup() as group:
            waits = [group.create_task(event.wait()) for event in (dispatcher.ended, self._closing)]
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for wait in waits:
                wait.cancel()

    @asynccontextmanager
    async def _streams(self) -> AsyncGenerator[Any]:
        if self._endpoint.transport is Transport.STDIO:
            async with _child(self._endpoint) as streams:
                yield streams
            return
        guarded = GuardedTransport(
            allow_private=self._allow_private, max_response_bytes=_MAX_MESSAGE_BYTES
        )
        async with (
            httpx2.AsyncClient(
                transport=ContainedTransport(guarded),
                headers=self._endpoint.headers,
                timeout=_TIMEOUTS,
                trust_env=False,
            ) as client,
            streamable_http_client(
                self._endpoint.url, http_client=client, max_sse_event_size=_MAX_MESSAGE_BYTES
            ) as streams,
        ):
            yield streams

    async def _send(
        self,
        method: str,
        params: dict[str, Any],
        headers: dict[str, str],
        request_id: str = "",
    ) -> Mapping[str, Any]:
        dispatcher = self._dispatcher
        if dispatcher is None or not self.is_open:
            raise faults.UnreachableError("the session is over")
        # Whether the server is told of an end is decided above.
        options: CallOptions = {
            "headers": {"mcp-protocol-version": self._version, **headers},
            "cancel_on_abandon": False,
        }
        if self._is_stateless:
            options["headers"]["mcp-method"] = method
            params["_meta"] = {**params.get("_meta", {}), **self._envelope()}
        if request_id:
            options["request_id"] = request_id
        try:
            return await dispatcher.send_raw_request(method, params, options)
        except MCPError as error:
            raise _fault(error) from error

    async def _stop(self, request_id: str) -> None:
        if self._dispatcher is None or not self.is_open:
            return
        params = {"requestId": request_id, "reason": "the result is not wanted any more"}
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._dispatcher.notify("notifications/cancelled", params)

    def _envelope(self) -> dict[str, Any]:
        # What the stateless protocol wants said in every request.
        return {
            mcp_types.PROTOCOL_VERSION_META_KEY: self._version,
            mcp_types.CLIENT_INFO_META_KEY: _CLIENT.model_dump(exclude_none=True),
            mcp_types.CLIENT_CAPABILITIES_META_KEY: {},
        }


@asynccontextmanager
async def _child(endpoint: Endpoint) -> AsyncGenerator[Any]:
    command, *arguments = endpoint.command
    parameters = StdioServerParameters(command=command, args=arguments, env=endpoint.env)
    # What a server prints beside the protocol is its own; our log is JSON.
    with open(os.devnull, "w") as silence:  # noqa: ASYNC230 # never blocks
        async with stdio_client(parameters, errlog=silence) as streams:
            yield streams


def _fault(error: MCPError) -> faults.LinkError:
    if error.code == faults.UNSENT:
        return faults.UnreachableError(error.message)
    if error.code in _LOST:
        return faults.LostError(error.message)
    if error.code == faults.SESSION_ENDED:
        return faults.SessionEndedError(error.message)
    if error.code in _REFUSALS:
        return faults.RefusedError(error.message, code=error.code)
    return faults.AnsweredWithError(error.message)


def _reason(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        return "the server did not answer the handshake in time"
    return str(error) or type(error).__name__
