"""The edge as a program calls it: REST with a key, and server-sent events."""

import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import httpx

from tests.e2e.folding import Event, Fold

JSON = dict[str, Any]
TIMEOUT = httpx.Timeout(60, connect=10)


class RefusedError(Exception):
    """A call was answered with a problem."""

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.problem: JSON = response.json() if response.content else {}
        self.headers = response.headers
        super().__init__(f"{self.status} {self.problem}")

    @property
    def reason(self) -> str:
        """The reason for machines."""
        return self.problem.get("reason", "")


@dataclass
class Stream:
    """An open answer of server-sent events."""

    response: httpx.Response

    async def events(self) -> AsyncIterator[Event]:
        """Gives the events as they arrive, until the server ends the stream."""
        data: list[str] = []
        async for line in self.response.aiter_lines():
            if line.startswith("data:"):
                data.append(line.removeprefix("data:").strip())
            elif not line and data:
                fields = json.loads("\n".join(data))
                data.clear()
                yield Event(fields["seq"], fields["type"], fields)


class Edge:
    """A caller of the gateway, with one credential."""

    def __init__(self, url: str, key: str | None, transport: httpx.AsyncHTTPTransport) -> None:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self.url = url
        self._transport = transport
        self.http = httpx.AsyncClient(
            base_url=url, headers=headers, transport=transport, timeout=TIMEOUT
        )

    def with_key(self, key: str | None) -> Self:
        """Returns the same edge for another caller."""
        return type(self)(self.url, key, self._transport)

    async def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Calls `/api/v1` and returns the answer's JSON.

        Raises:
            RefusedError: The answer is a problem.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        response = await self.http.request(method, f"/api/v1{path}", json=body, headers=named)
        if response.is_error:
            raise RefusedError(response)
        return response.json() if response.content else None

    @asynccontextmanager
    async def stream(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> AsyncGenerator[Stream]:
        """Opens an answer of events while inside.

        Raises:
            RefusedError: The answer is a problem.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named["accept"] = "text/event-stream"
        opened = self.http.stream(method, f"/api/v1{path}", json=body, headers=named)
        async with opened as response:
            if response.is_error:
                await response.aread()
                raise RefusedError(response)
            yield Stream(response)

    async def agent(self, name: str, script: str, model_url: str, **spec: Any) -> str:
        """Makes an agent on a scripted model of its own; returns its name."""
        model: JSON = {"name": name, "provider": "openai", "model": script, "base_url": model_url}
        if "limits" in spec:
            model["limits"] = spec.pop("limits")
        await self.call("PUT", f"/models/{name}", model | {"api_key": f"key-of-{name}"})
        if "tools" in spec:
            # Nobody is asked, but where a test is about that.
            spec.setdefault("policy", {"allow": ["*/*"]})
        await self.call("PUT", f"/agents/{name}", {"name": name, "model": name, **spec})
        return name

    async def start(self, agent: Any, text: str = "hello", **fields: Any) -> JSON:
        """Starts a turn in a new thread and returns it without waiting."""
        thread = (await self.call("POST", "/threads", {}))["id"]
        return await self.start_in(thread, agent, text, **fields)

    async def start_in(
        self, thread: str, agent: Any, text: str = "hello", *, key: str = "", **fields: Any
    ) -> JSON:
        """Starts a turn in a thread and returns it without waiting."""
        body = {"agent": agent, "input": text, **fields}
        headers = {"idempotency_key": key} if key else {}
        return await self.call("POST", f"/threads/{thread}/turns", body, **headers)

    async def turn(self, turn: str) -> JSON:
        """Returns a turn, folded."""
        return await self.call("GET", f"/turns/{turn}")

    async def read(self, turn: str, after: int = 0, until: int | None = None) -> Fold:
        """Reads a turn's log on one connection, to the end or to a number of events."""
        fold = Fold(after=after)
        async with self.stream("GET", f"/turns/{turn}/events?after={after}") as stream:
            async for event in stream.events():
                fold.take(event)
                if until is not None and len(fold.events) >= until:
                    break
        return fold

    async def run(self, agent: Any, text: str = "hello", **fields: Any) -> Fold:
        """Runs a turn in a new thread by one call and reads it to its end."""
        fold = Fold()
        body = {"agent": agent, "input": text, **fields}
        async with self.stream("POST", "/turns:run", body) as stream:
            async for event in stream.events():
                fold.take(event)
        return fold

    async def messages(self, thread: str) -> list[JSON]:
        """Returns a thread's messages."""
        return (await self.call("GET", f"/threads/{thread}/messages"))["messages"]


@asynccontextmanager
async def connected(url: str, key: str | None) -> AsyncGenerator[Edge]:
    """Gives an edge whose connections end with the block."""
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    async with httpx.AsyncHTTPTransport(limits=limits) as transport:
        yield Edge(url, key, transport)
