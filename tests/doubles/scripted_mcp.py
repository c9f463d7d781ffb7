"""An MCP server whose every answer a test decides: it lies, drifts, hangs, pages, counts, tells.

Speaks 2026-07-28 without sessions, 2025-11-25 with or without them, and the old SSE
transport at `/sse`. What comes in is in `seen`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.doubles.http1 import Connection, Request, serving, sse

Message = dict[str, Any]
STATELESS, HANDSHAKE = "2026-07-28", "2025-11-25"
SESSION = "mcp-session-id"
OBJECT: Message = {"type": "object", "properties": {}}


@dataclass
class Called:
    """One `tools/call`, for the script that answers it."""

    name: str
    arguments: Message
    meta: Message
    params: Message
    session: str
    notify: Callable[[str, Message], None]
    ask: Callable[[str, Message], Awaitable[Message]]


Answer = Callable[[Called], Awaitable[Message]]


def tool(name: str, description: str = "", **others: Any) -> Message:
    """Returns a tool as `tools/list` shows it."""
    return {"name": name, "description": description, "inputSchema": OBJECT, **others}


def said(text: str) -> Message:
    """Returns a tool's result of one text block."""
    return {"content": [{"type": "text", "text": text}]}


class RpcError(Exception):
    """A script raises it to answer with a JSON-RPC error."""

    def __init__(self, code: int, message: str, data: Any = None) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message, **({"data": data} if data else {})}


async def _says_its_name(called: Called) -> Message:
    return said(called.name)


@dataclass
class ScriptedServer:
    """The server; change it while it serves."""

    tools: list[Message] = field(default_factory=list[Message])
    answer: Answer = _says_its_name
    era: str = HANDSHAKE
    sessions: bool = False
    tells: bool = False
    page_size: int = 0
    ttl_ms: int | None = None
    token: str = ""
    """Who does not send it as a bearer is answered 401."""

    accepts: Callable[[str], bool] | None = None
    """Whether it lets a bearer's token in; else 401 with `challenge`."""

    challenge: str = ""
    """Its `WWW-Authenticate`."""

    wants: str = ""
    """The scope that calls need beside; who lacks it is answered 403."""

    documents: dict[str, Message] = field(default_factory=dict[str, Message])
    """What it publishes beside the endpoint, by path."""

    tasks: bool = False
    resources: bool = False
    """Whether it says that it has some; `others` answers for them."""

    hung: asyncio.Event | None = None
    """While it is set up and not set, reads of resources wait."""

    others: dict[str, Callable[[Message], Message]] = field(
        default_factory=dict[str, Callable[[Message], Message]]
    )
    held: asyncio.Event | None = None
    """While it is set up and not set, lists wait."""

    unheard: asyncio.Event | None = None
    """While it is set up and not set, whoever wants to be told of changes waits."""

    seen: list[str] = field(default_factory=list[str])
    refused: int = 0
    """How many requests came without a token that is accepted."""

    shown: set[str] = field(default_factory=set[str])
    """Every `authorization` that came in."""

    called_on: set[Connection] = field(default_factory=set[Connection])
    """The connections that calls came on."""

    cut_ends: int = 0
    """How many more requests to end a session lose their connection unheard."""

    open_sessions: set[str] = field(default_factory=set[str])
    _old: dict[str, Connection] = field(default_factory=dict[str, Connection])
    """The streams of the old transport, by session."""

    _streams: list[tuple[Connection, str]] = field(default_factory=list[tuple[Connection, str]])
    _replies: dict[str, asyncio.Future[Message]] = field(
        default_factory=dict[str, "asyncio.Future[Message]"]
    )

    def count(self, method: str) -> int:
        """Counts the requests of a method that came in."""
        return self.seen.count(method)

    @property
    def listeners(self) -> int:
        """How many streams wait for notifications."""
        return len(self._streams)

    def tell(self) -> None:
        """Says on every stream that the list of tools changed."""
        for connection, subscription in self._streams:
            meta = {"io.modelcontextprotocol/subscriptionId": subscription}
            params = {"_meta": meta} if subscription else {}
            connection.write(sse(_notice("notifications/tools/list_changed", params)))

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncGenerator[str]:
        """Serves while inside; gives the URL of the endpoint, `…/mcp`."""
        async with serving(self._respond, port) as bound:
            yield f"http://127.0.0.1:{bound}/mcp"

    async def _respond(self, connection: Connection, request: Request) -> None:
        if request.method == "GET" and request.path in self.documents:
            connection.reply(200, self.documents[request.path])
            return
        self.shown.add(request.headers.get("authorization", ""))
        if self._refuses(connection, request):
            self.refused += 1
        elif self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            connection.reply(401, {"error": "who are you?"})
        elif request.path == "/sse":
            await self._old_stream(connection)
        elif request.path.startswith("/messages"):
            await self._old_message(connection, request)
        elif request.method == "GET":
            await self._stream(connection, request, "")
        elif request.method == "DELETE":
            self._end(connection, request.headers.get(SESSION, ""))
        else:
            await self._message(connection, request)

    def _refuses(self, connection: Connection, request: Request) -> bool:
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if self.accepts is not None and not (scheme == "Bearer" and self.accepts(bearer)):
            connection.reply(401, {"error": "who are you?"}, {"www-authenticate": self.challenge})
            return True
        if self.wants and b'"tools/call"' in request.body:
            scope = f'Bearer error="insufficient_scope", scope="{self.wants}"'
            connection.reply(403, {"error": "not you"}, {"www-authenticate": scope})
            return True
        return False

    async def _message(self, connection: Connection, request: Request) -> None:
        message, session = request.json(), request.headers.get(SESSION, "")
        if "method" not in message:
            self._settle(message)
            connection.reply(202)
        elif message.get("id") is None:
            self.seen.append(message["method"])
            connection.reply(202)
        elif message["method"] == "subscriptions/listen":
            self.seen.append(message["method"])
            await self._stream(connection, request, str(message["id"]))
        elif self.sessions and self._is_stranger(message["method"], session):
            self.seen.append("refused")
            connection.reply(404, {"error": "no such session"})
        elif message["method"] == "tools/call":
            await self._stream_answer(connection, message, session)
        else:
            response = await self._answered(message, session, lambda _: None)
            headers = self._begun(message)
            connection.reply(200, response, headers)

    def _end(self, connection: Connection, session: str) -> None:
        if self.cut_ends > 0:
            self.cut_ends -= 1
            connection.cut()
            return
        self.open_sessions.discard(session)
        connection.reply(200)

    def _is_stranger(self, method: str, session: str) -> bool:
        return method not in ("initialize", "server/discover") and session not in self.open_sessions

    def _begun(self, message: Message) -> dict[str, str]:
        if not self.sessions or message["method"] != "initialize":
            return {}
        session = str(uuid4())
        self.open_sessions.add(session)
        return {SESSION: session}

    def forget(self) -> None:
        """Forgets every session and cuts every stream, as a restart does."""
        self.open_sessions.clear()
        for connection, _ in self._streams:
            connection.cut()

    async def _stream(self, connection: Connection, request: Request, subscription: str) -> None:
        if not self.tells:
            connection.reply(405)
            return
        if self.sessions and request.headers.get(SESSION) not in self.open_sessions:
            self.seen.append("refused")
            connection.reply(404)
            return
        if self.unheard is not None:
            await self.unheard.wait()
        connection.start_stream()
        if subscription:
            acknowledged = {
                "notifications": {"toolsListChanged": True},
                "_meta": {"io.modelcontextprotocol/subscriptionId": subscription},
            }
            connection.write(sse(_notice("notifications/subscriptions/acknowledged", acknowledged)))
        else:
            connection.write(b": here\n\n")
        self._streams.append((connection, subscription))
        try:
            await asyncio.Event().wait()
        finally:
            self._streams.remove((connection, subscription))

    async def _stream_answer(self, connection: Connection, message: Message, session: str) -> None:
        self.called_on.add(connection)
        connection.start_stream()
        response = await self._answered(message, session, lambda note: connection.write(sse(note)))
        connection.write(sse(response))
        connection.end_stream()

    async def _old_stream(self, connection: Connection) -> None:
        connection.start_stream()
        session = str(uuid4())
        self.open_sessions.add(session)
        self._streams.append((connection, ""))
        connection.write(f"event: endpoint\ndata: /messages?session={session}\n\n".encode())
        self._old[session] = connection
        try:
            await asyncio.Event().wait()
        finally:
            self._streams.remove((connection, ""))
            self.open_sessions.discard(session)
            del self._old[session]

    async def _old_message(self, connection: Connection, request: Request) -> None:
        message = request.json()
        connection.reply(202)
        if message.get("id") is None:
            self.seen.append(message["method"])
            return
        stream = self._old[request.query["session"]]
        response = await self._answered(message, "", lambda note: stream.write(sse(note)))
        stream.write(sse(response))

    async def _answered(
        self, message: Message, session: str, write: Callable[[Message], None]
    ) -> Message:
        self.seen.append(message["method"])
        params = message.get("params") or {}
        if self.hung is not None and message["method"] == "resources/read":
            await self.hung.wait()
        try:
            result = await self._result(message["method"], params, session, write)
        except RpcError as error:
            return {"jsonrpc": "2.0", "id": message["id"], "error": error.error}
        if self.era == STATELESS:
            result = {"resultType": "complete", **result}
        return {"jsonrpc": "2.0", "id": message["id"], "result": result}

    async def _result(
        self, method: str, params: Message, session: str, write: Callable[[Message], None]
    ) -> Message:
        if method in self.others:
            return self.others[method](params)
        if method == "tools/list":
            if self.held is not None:
                await self.held.wait()
            return self._page(params)
        if method == "tools/call":
            return await self.answer(self._called(params, session, write))
        if method == "ping":
            return {}
        about = {"capabilities": self._capabilities(), "serverInfo": {"name": "s", "version": "1"}}
        if method == "initialize" and self.era == HANDSHAKE:
            return {"protocolVersion": HANDSHAKE, **about}
        if method == "server/discover" and self.era == STATELESS:
            return {"supportedVersions": [STATELESS], "ttlMs": 0, "cacheScope": "private", **about}
        raise RpcError(-32601, f"no method {method!r}")

    def _capabilities(self) -> Message:
        tasks = {"tasks": {"requests": {"tools": {"call": {}}}}} if self.tasks else {}
        resources = {"resources": {}} if self.resources else {}
        return {"tools": {"listChanged": self.tells}, **tasks, **resources}

    def _page(self, params: Message) -> Message:
        size = self.page_size or max(1, len(self.tools))
        at = int(params.get("cursor", 0))
        page: Message = {"tools": self.tools[at : at + size]}
        if at + size < len(self.tools):
            page["nextCursor"] = str(at + size)
        if self.ttl_ms is not None:
            page |= {"ttlMs": self.ttl_ms, "cacheScope": "private"}
        return page

    def _called(self, params: Message, session: str, write: Callable[[Message], None]) -> Called:
        async def ask(method: str, asked: Message) -> Message:
            identity = f"ask-{len(self._replies)}"
            self._replies[identity] = asyncio.get_running_loop().create_future()
            write({"jsonrpc": "2.0", "id": identity, "method": method, "params": asked})
            return await self._replies[identity]

        return Called(
            name=params["name"],
            arguments=params.get("arguments") or {},
            meta=params.get("_meta") or {},
            params=params,
            session=session,
            notify=lambda method, noted: write(_notice(method, noted)),
            ask=ask,
        )

    def _settle(self, message: Message) -> None:
        reply = self._replies.get(str(message.get("id")))
        if reply is not None and not reply.done():
            reply.set_result(message)


def _notice(method: str, params: Message) -> Message:
    return {"jsonrpc": "2.0", "method": method, "params": json.loads(json.dumps(params))}
