"""An MCP server that counts what its tools really did, over streamable HTTP and stdio.

As a process, `python tests/doubles/effects_server.py --port 0 --journal FILE` prints
one line of JSON with its `url`; with `--stdio` it speaks on its standard streams. In a
test's own loop `EffectsServer(journal).listening()` serves. `effects_tools` lists the
tools. `GET /calls` gives counts and entries, `GET /count?tag=T` the effects of a tag,
`POST /lie` with `{"lie": "schema" | "drift" | ""}` makes it lie from now on.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from pathlib import Path
from uuid import uuid4

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Era, Message, Protocol
from tests.doubles.http1 import Connection, Request, serving, sse

SESSION = "mcp-session-id"


class EffectsServer:
    """The server over HTTP; its journal is readable while it serves."""

    def __init__(self, protocol: Protocol, *, sessions: bool = False) -> None:
        self.protocol = protocol
        self.journal = protocol.journal
        self.sessions: set[str] | None = set() if sessions else None
        self.held: asyncio.Event | None = None
        """While it is set up and not set, calls have had their effect and are not answered."""

        self._running: set[asyncio.Task[Message]] = set()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncGenerator[str]:
        """Serves while inside; gives the URL of the endpoint, `…/mcp`."""
        try:
            async with serving(self._respond, port) as bound:
                yield f"http://127.0.0.1:{bound}/mcp"
        finally:
            for task in self._running:
                task.cancel()

    async def _respond(self, connection: Connection, request: Request) -> None:
        if request.path == "/mcp":
            await self._exchange(connection, request)
        elif request.path == "/calls":
            entries = [asdict(entry) for entry in self.journal.entries()]
            connection.reply(200, {"counts": self.journal.counts(), "entries": entries})
        elif request.path == "/count":
            connection.reply(200, {"n": self.journal.effects(request.query["tag"])})
        elif request.path == "/lie":
            self.protocol.lie = request.json()["lie"]
            connection.reply(200, {})
        else:
            connection.reply(404, {"error": f"no such path {request.path!r}"})

    async def _exchange(self, connection: Connection, request: Request) -> None:
        if request.method == "DELETE":
            self._end_session(request)
            connection.reply(200)
        elif request.method != "POST":
            connection.reply(405)
        elif (message := request.json()).get("id") is None:
            connection.reply(202)
        elif self._unknown_session(request, message):
            connection.reply(404, {"error": "no such session"})
        else:
            await self._answer(connection, request, message)

    async def _answer(self, connection: Connection, request: Request, message: Message) -> None:
        streaming = False

        async def notify(note: Message) -> None:
            nonlocal streaming
            if not streaming:
                connection.start_stream()
                streaming = True
            connection.write(sse(note))

        # A client that leaves does not stop the work: that is what makes it an effect.
        answering = self.protocol.answer(message, notify, request.headers)
        task = asyncio.get_running_loop().create_task(answering)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        response = await asyncio.shield(task)
        if self.held is not None and message["method"] == "tools/call":
            await self.held.wait()
        if streaming:
            connection.write(sse(response))
            connection.end_stream()
        else:
            connection.reply(200, response, self._begin_session(message))

    def _begin_session(self, message: Message) -> dict[str, str]:
        if self.sessions is None or message["method"] != "initialize":
            return {}
        session = str(uuid4())
        self.sessions.add(session)
        return {SESSION: session}

    def _end_session(self, request: Request) -> None:
        if self.sessions is not None:
            self.sessions.discard(request.headers.get(SESSION, ""))

    def _unknown_session(self, request: Request, message: Message) -> bool:
        if self.sessions is None or message["method"] in ("initialize", "server/discover"):
            return False
        return request.headers.get(SESSION, "") not in self.sessions


async def serve_stdio(protocol: Protocol) -> None:
    """Answers the requests on standard input until it ends."""
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader(limit=1 << 24)
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)

    async def send(message: Message) -> None:
        print(json.dumps(message, separators=(",", ":")), flush=True)

    async def respond(message: Message) -> None:
        await send(await protocol.answer(message, send))

    tasks: set[asyncio.Task[None]] = set()
    while line := await reader.readline():
        message = json.loads(line)
        if message.get("id") is not None and "method" in message:
            task = loop.create_task(respond(message))
            tasks.add(task)
            task.add_done_callback(tasks.discard)


async def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--stdio", action="store_true")
    parser.add_argument("--journal", type=Path, required=True)
    parser.add_argument("--era", choices=Era.__args__, default="both")
    parser.add_argument("--lie", choices=("", "schema", "drift"), default="")
    parser.add_argument("--sessions", action="store_true")
    options = parser.parse_args()
    protocol = Protocol(Journal(options.journal), options.era, options.lie)
    if options.stdio:
        await serve_stdio(protocol)
        return
    async with EffectsServer(protocol, sessions=options.sessions).listening(options.port) as url:
        print(json.dumps({"url": url, "port": int(url.split(":")[2].split("/")[0])}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
