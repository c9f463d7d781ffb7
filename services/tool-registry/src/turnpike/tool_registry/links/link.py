"""One session with an MCP server."""

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

import mcp_types
from mcp.client._probe import negotiate_auto  # pyright: ignore[reportPrivateUsage] # the SDK's Client brings its server along
from mcp.client.session import ClientSession, IncomingMessage
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.dispatcher import WatchedDispatcher, first_of
from turnpike.tool_registry.links.envelope import (
    CLIENT,
    TASKS,
    can_carry,
    envelope_of,
    headers_of,
    name_header,
)
from turnpike.tool_registry.links.exchange import Exchange, Heard
from turnpike.tool_registry.links.exchanges import Exchanges
from turnpike.tool_registry.links.refusals import fault_from, unreachable
from turnpike.tool_registry.links.streams import Streams, open_streams
from turnpike.tool_registry.links.transport import LISTEN
from turnpike.tool_registry.model import Endpoint, Fault

OPEN_SECONDS = 60.0
"""How long a handshake may take; a first `npx` downloads."""

_STOP_SECONDS = 2.0
_PING_SECONDS = 5.0
_GONE = (TimeoutError, faults.UnreachableError, faults.LostError, faults.SessionEndedError)
_CARRIED = ("inputResponses", "requestState")


class Link:
    """A session, held by the one task that runs `hold`; any task may send through it.

    The SDK's contexts must be left by the task that entered them.
    """

    def __init__(
        self, endpoint: Endpoint, confines: Confines, *, on_change: Callable[[], None]
    ) -> None:
        self._endpoint = endpoint
        self._confines = confines
        self._on_change = on_change
        self._closing = asyncio.Event()
        self._dispatcher: WatchedDispatcher | None = None
        self._session: ClientSession | None = None
        self._streams: Streams | None = None
        self._wanted_credential: Callable[[], bool] = lambda: False
        self._version = ""
        self._calls = self._listens = 0
        self._exchanges = Exchanges()

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return (
            self._dispatcher is not None
            and not self._dispatcher.ended.is_set()
            and not self._closing.is_set()
        )

    @property
    def is_stateless(self) -> bool:
        """Whether the protocol knows no sessions."""
        return self._version in MODERN_PROTOCOL_VERSIONS

    @property
    def is_shareable(self) -> bool:
        """Whether the server keeps nothing from one request to the next."""
        return self.is_stateless or (self._streams is not None and not self._streams.has_session())

    @property
    def was_called(self) -> bool:
        """Whether a tool was called through it."""
        return self._calls > 0

    @property
    def version(self) -> str:
        """The protocol's version."""
        return self._version

    @property
    def server(self) -> tuple[str, str]:
        """The server's name and version, as it says."""
        shown = self._session.server_info if self._session is not None else None
        return (shown.name, shown.version or "") if shown is not None else ("", "")

    @property
    def tells(self) -> bool:
        """Whether the server says when its list of tools changes."""
        shown = self._session.server_capabilities if self._session is not None else None
        return bool(shown is not None and shown.tools is not None and shown.tools.list_changed)

    @property
    def makes_tasks(self) -> bool:
        """Whether the server runs calls as tasks when it is asked to, and only then."""
        shown = self._session.server_capabilities if self._session is not None else None
        if self.is_stateless or shown is None or shown.tasks is None:
            return False
        requests = shown.tasks.requests
        return requests is not None and requests.tools is not None

    def can_send(self, input_schema: object) -> bool:
        """Whether calls can be sent as the protocol wants, with the headers that a schema names."""
        return not self.is_stateless or can_carry(input_schema)

    def carry(self, endpoint: Endpoint) -> None:
        """Has requests carry a renewed credential from now on; an older one changes nothing."""
        if endpoint.serial > self._endpoint.serial and self._streams is not None:
            self._streams.carry(endpoint.headers)
            self._endpoint = endpoint

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
            reason = unreachable(error)
            # Refused in one protocol, the SDK tries the other, and tells of that.
            if not opened.done() and self._wanted_credential():
                reason.fault = Fault.AUTH_NEEDED
        else:
            reason = faults.UnreachableError(
                "the server ended the session", fault=Fault.CONNECTION_LOST
            )
        if not opened.done():
            opened.set_exception(reason)

    async def list_tools(self, cursor: str | None) -> Mapping[str, Any]:
        """Returns one page of the server's tools as it sent them, or raises `LinkError`."""
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        return await self._send("tools/list", params)

    @property
    def has_resources(self) -> bool:
        """Whether the server has resources to be read."""
        shown = self._session.server_capabilities if self._session is not None else None
        return shown is not None and shown.resources is not None

    async def list_resources(self, cursor: str | None) -> Mapping[str, Any]:
        """Returns one page of the server's resources as it sent them, or raises `LinkError`."""
        params: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        return await self._send("resources/list", params)

    async def read_resource(self, uri: str) -> Mapping[str, Any]:
        """Returns what a resource has in it as the server sent it, or raises `LinkError`."""
        headers = name_header(uri) if self.is_stateless else {}
        return await self._send("resources/read", {"uri": uri}, headers)

    async def listen(self, on_begin: Callable[[], None]) -> None:
        """Has the server say when its list changes; returns when it does so no more.

        Calls `on_begin` each time that the server begins to: what changed before that,
        nobody was told.

        Raises:
            LinkError: It does not.
        """
        if self._streams is None or self._dispatcher is None:
            return
        telling = self._streams.telling
        telling.follow(on_begin)
        if self.is_stateless:
            await self._subscribe()
            return
        await first_of(self._dispatcher.ended, self._closing, telling.is_over)
        if telling.is_over.is_set() and not telling.is_refused:
            # Another session may be told again.
            self.close()
        telling.check()

    async def _subscribe(self) -> None:
        params = {"notifications": {"toolsListChanged": True}}
        self._listens += 1
        request_id = f"listen-{self._listens}"
        try:
            await self._send(LISTEN, params, request_id=request_id)
        except asyncio.CancelledError:
            # The session goes on; the stream must not.
            await self._stop(request_id)
            raise

    async def ping(self) -> bool:
        """Says whether the server is there; of a protocol without sessions, nothing is asked."""
        if self.is_stateless:
            return True
        try:
            async with asyncio.timeout(_PING_SECONDS):
                await self._send("ping", {})
        except _GONE:
            return False
        except faults.LinkError:
            pass
        return True

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        meta: Mapping[str, Any],
        input_schema: Mapping[str, Any],
        is_unwanted: Callable[[], bool],
        heard: Heard,
        answers: Mapping[str, Any],
        task_seconds: float | None = None,
    ) -> Mapping[str, Any]:
        """Returns a tool's answer as the server sent it, or raises `LinkError`.

        When the caller is cancelled the server is told to stop only if the result
        `is_unwanted`: a process that ends must not stop what others still want.
        With `task_seconds` the server is asked to make it a task kept that long.
        `answers` is what persons gave to what the server asked before.
        """
        params: dict[str, Any] = {"name": name, "arguments": arguments, "_meta": dict(meta)}
        if task_seconds is not None:
            params["task"] = {"ttl": int(task_seconds * 1000)}
        headers: dict[str, str] = {}
        if self.is_stateless:
            headers = headers_of(name, arguments, input_schema)
            params |= {key: answers[key] for key in _CARRIED if key in answers}
        self._calls += 1
        request_id = f"turnpike-{self._calls}"
        exchange = Exchange(heard, answers.get("replies", {}))
        try:
            with self._exchanges.under_way(request_id, exchange):
                answer = await self._send(
                    "tools/call", params, headers, request_id, on_progress=exchange.progress
                )
            return exchange.settled(answer)
        except asyncio.CancelledError:
            if is_unwanted():
                await self._stop(request_id)
            raise

    async def task(self, method: str, identity: str, **others: Any) -> Mapping[str, Any]:
        """Returns what the server says of a task.

        `method` is `get`, `result` or `cancel`; or `update`, with `inputResponses`.
        """
        return await self._send(f"tasks/{method}", {"taskId": identity, **others})

    async def _run(self, opened: "asyncio.Future[None]") -> None:
        async with open_streams(self._endpoint, self._confines) as streams:
            self._wanted_credential = streams.wanted_credential
            dispatcher = WatchedDispatcher(*streams.pair)
            async with ClientSession(
                dispatcher=dispatcher,
                client_info=CLIENT,
                elicitation_callback=self._exchanges.elicit,
                logging_callback=self._exchanges.log,
                message_handler=self._on_message,
                extensions={TASKS: {}},
            ) as session:
                async with asyncio.timeout(OPEN_SECONDS):
                    await negotiate_auto(session)
                self._version = session.protocol_version or ""
                self._streams, self._session = streams, session
                self._dispatcher = dispatcher
                opened.set_result(None)
                await first_of(dispatcher.ended, self._closing)

    async def _on_message(self, message: IncomingMessage) -> None:
        if isinstance(message, mcp_types.ToolListChangedNotification):
            self._on_change()

    async def _send(
        self,
        method: str,
        params: dict[str, Any],
        headers: Mapping[str, str] | None = None,
        request_id: str = "",
        on_progress: Any = None,
    ) -> Mapping[str, Any]:
        dispatcher = self._dispatcher
        if dispatcher is None or not self.is_open:
            raise faults.UnreachableError("the session is over", fault=Fault.CONNECTION_LOST)
        # Whether the server is told of an end is decided above.
        options: CallOptions = {
            "headers": {"mcp-protocol-version": self._version, **(headers or {})},
            "cancel_on_abandon": False,
        }
        if self.is_stateless:
            options["headers"]["mcp-method"] = method
            params["_meta"] = {**params.get("_meta", {}), **envelope_of(self._version)}
        if request_id:
            options["request_id"] = request_id
        if on_progress is not None:
            options["on_progress"] = on_progress
        try:
            return await dispatcher.send_raw_request(method, params, options)
        except MCPError as error:
            raise fault_from(error) from error

    async def _stop(self, request_id: str) -> None:
        if self._dispatcher is None or not self.is_open:
            return
        params = {"requestId": request_id, "reason": "the result is not wanted any more"}
        with suppress(TimeoutError):
            async with asyncio.timeout(_STOP_SECONDS):
                await self._dispatcher.notify("notifications/cancelled", params)
