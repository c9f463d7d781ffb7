"""A lean HTTP/1.1 server: what a scripted third party needs, at a few microseconds a write.

The doubles are measured together with the suite on the same machine, so they must
cost next to nothing: httptools parses, and an answer is one `transport.write`.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import httptools

REASONS = {200: "OK", 202: "Accepted", 400: "Bad Request", 404: "Not Found"}


@dataclass
class Request:
    """One request as it came: header names in lower case, the body whole."""

    method: str = ""
    target: str = ""
    headers: dict[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    @property
    def path(self) -> str:
        """The target without its query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The last value of each query parameter."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.target).query).items()}

    def json(self) -> dict[str, Any]:
        """Returns the body as a JSON object, or raises ValueError."""
        decoded = json.loads(self.body or b"{}")
        if not isinstance(decoded, dict):
            raise TypeError("the body is no JSON object")
        return cast("dict[str, Any]", decoded)


class Connection(asyncio.Protocol):
    """One client connection; its requests are answered one after another.

    When the client goes away, the answer under way is cancelled.
    """

    def __init__(self, respond: "Respond", connections: "set[Connection]") -> None:
        self._respond = respond
        self._connections = connections
        self._parser = httptools.HttpRequestParser(self)
        self._requests: asyncio.Queue[Request] = asyncio.Queue()
        self._request = Request()
        self._url = b""
        self._body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        self._task = asyncio.get_running_loop().create_task(self._serve())

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        self._task.cancel()

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._request.headers[name.decode("latin-1").lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._request.method = self._parser.get_method().decode()
        self._request.target = self._url.decode()
        self._request.body = b"".join(self._body)
        self._requests.put_nowait(self._request)
        self._request, self._url, self._body = Request(), b"", []

    def reply(self, status: int, content: object = None, headers: Mapping[str, str] = {}) -> None:
        """Answers with JSON, or with an empty body when there is no content."""
        body = b"" if content is None else json.dumps(content).encode()
        lines = [
            f"HTTP/1.1 {status} {REASONS.get(status, 'X')}",
            "content-type: application/json",
            f"content-length: {len(body)}",
            *(f"{name}: {value}" for name, value in headers.items()),
        ]
        self.transport.write("\r\n".join(lines).encode() + b"\r\n\r\n" + body)

    def start_stream(self) -> None:
        """Begins an answer of server-sent events; `chunk` frames what follows."""
        self.transport.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache\r\n"
            b"transfer-encoding: chunked\r\n\r\n"
        )

    def end_stream(self) -> None:
        """Ends the answer; the connection stays open for the next request."""
        self.transport.write(b"0\r\n\r\n")

    def write(self, *events: bytes) -> None:
        """Writes server-sent events as one chunk of a started stream."""
        text = b"".join(events)
        self.transport.write(b"%x\r\n%b\r\n" % (len(text), text))

    def cut(self) -> None:
        """Closes the connection in the middle of whatever is being sent."""
        self.transport.close()

    async def _serve(self) -> None:
        while True:
            request = await self._requests.get()
            try:
                await self._respond(self, request)
            except (KeyError, TypeError, ValueError) as error:
                self.reply(400, {"error": {"message": repr(error)}})
            if request.headers.get("connection", "").lower() == "close":
                self.transport.close()


Respond = Callable[[Connection, Request], Awaitable[None]]


@asynccontextmanager
async def serving(
    respond: Respond, port: int = 0, connections: set[Connection] | None = None
) -> AsyncGenerator[int]:
    """Serves on the loopback address while inside; gives the bound port.

    Args:
        respond: Answers one request on its connection.
        port: 0 takes a free one.
        connections: Kept up to date with the open connections, if given.
    """
    live: set[Connection] = set() if connections is None else connections
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: Connection(respond, live), "127.0.0.1", port, backlog=4096
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(live):
            connection.transport.abort()
        await server.wait_closed()


def sse(payload: object) -> bytes:
    """Returns a server-sent event whose data is the payload as compact JSON."""
    return b"data: " + json.dumps(payload, separators=(",", ":")).encode() + b"\n\n"
