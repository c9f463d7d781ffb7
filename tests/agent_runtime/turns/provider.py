"""A model provider that says what a test tells it to, when it tells it to."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.doubles.http1 import Connection, Request, serving, sse

PATIENCE_SECONDS = 15


class Ask:
    """One model call, as the provider sees it."""

    def __init__(self, connection: Connection, request: Request) -> None:
        self.body: dict[str, Any] = request.json()
        self.sent = request.body
        """The request, byte for byte."""

        self.traceparent = request.headers.get("traceparent", "")
        self.key = request.headers.get("authorization", "").removeprefix("Bearer ")
        self.closed = asyncio.Event()
        """Set when the caller has hung up, or was hung up on."""

        self._connection = connection
        self._streaming = False
        self._over = asyncio.Event()

    @property
    def prompt(self) -> list[tuple[str, str]]:
        """Who said what, so far."""
        return [(each["role"], each["content"] or "") for each in self.body["messages"]]

    def describe(self) -> None:
        """Says what a call is, and nothing of what it answers: a role, and usage."""
        self._write({"role": "assistant", "content": ""})
        usage = {"prompt_tokens": 7, "completion_tokens": 0}
        self._connection.write(sse({"choices": [], "usage": usage}))

    def say(self, *texts: str) -> None:
        """Says pieces of text, as one write."""
        self._write(*({"content": text} for text in texts))

    def call(self, name: str, arguments: str = "{}", *, index: int = 0) -> None:
        """Asks for a tool."""
        function = {"name": name, "arguments": arguments}
        use = {"index": index, "id": f"use_{index}", "type": "function", "function": function}
        self._write({"tool_calls": [use]})

    def end(self, *, tokens: tuple[int, int] = (7, 5), reason: str = "stop") -> None:
        """Ends the reply and reports its usage."""
        usage = {"prompt_tokens": tokens[0], "completion_tokens": tokens[1]}
        self._write({}, finish=reason)
        self._connection.write(sse({"choices": [], "usage": usage}), b"data: [DONE]\n\n")
        self._connection.end_stream()
        self._over.set()

    def answer(self, *texts: str) -> None:
        """Says something, and that was all."""
        self.say(*texts)
        self.end()

    def ask_for(self, *names: str, arguments: str = "{}") -> None:
        """Asks for tools, and that was all."""
        for index, name in enumerate(names):
            self.call(name, arguments, index=index)
        self.end(reason="tool_calls")

    def garbage(self) -> None:
        """Says something that is no JSON."""
        self._begin()
        self._connection.write(b"data: {not json\n\n")

    def cut(self) -> None:
        """Drops the connection."""
        self._connection.cut()

    def refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answers with an error."""
        self._connection.reply(status, {"error": {"message": f"scripted {status}"}}, headers or {})
        self._over.set()

    async def hold(self) -> None:
        """Serves the call until its end."""
        try:
            await self._over.wait()
        finally:
            self.closed.set()

    def _write(self, *deltas: Mapping[str, Any], finish: str | None = None) -> None:
        self._begin()
        choices = ({"index": 0, "delta": delta, "finish_reason": finish} for delta in deltas)
        self._connection.write(*(sse({"choices": [choice]}) for choice in choices))

    def _begin(self) -> None:
        if not self._streaming:
            self._streaming = True
            self._connection.start_stream()


class Provider:
    """Calls that came, in the order in which they came."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self._new: asyncio.Queue[Ask] = asyncio.Queue()
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncGenerator[None]:
        """Serves while inside."""
        async with serving(self._respond) as port:
            self.url = f"http://127.0.0.1:{port}/v1"
            yield

    async def asked(self) -> Ask:
        """Returns the next call, once it comes."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._new.get()

    def forget(self) -> None:
        """Drops calls that nobody took: an earlier test's, which failed or wanted no more."""
        while not self._new.empty():
            self._new.get_nowait()

    async def _respond(self, connection: Connection, request: Request) -> None:
        ask = Ask(connection, request)
        self.asks.append(ask)
        self._new.put_nowait(ask)
        await ask.hold()
