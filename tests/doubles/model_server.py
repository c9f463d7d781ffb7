"""A model server on the OpenAI wire whose every byte is scripted by the model's name.

As a process, `python tests/doubles/model_server.py --port 0` prints one line of JSON
with its `url` and `port`; in a test's own loop `ModelServer().listening()` serves.
`model_script` has the language. `/v1/chat/completions` (streamed or not),
`/v1/embeddings` and `/v1/models` answer; `GET /log` gives the last requests, `GET /sent`
their bodies as they came, `GET /stats` counts and the streams that clients closed early,
`POST /reset` forgets.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from hashlib import shake_128
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.doubles.http1 import Connection, Request, serving, sse
from tests.doubles.model_prompt import Prompt, PromptCache, rounds_asked
from tests.doubles.model_reply import Reply, call_events, opening, whole
from tests.doubles.model_script import Fault, Script, read_script

HANG_SECONDS = 600
STATUS_ERRORS = {"429": "rate_limit_error", "500": "server_error"}


@dataclass(frozen=True)
class Close:
    """A stream that its client closed before the end; times are Unix seconds."""

    model: str
    opened: float
    closed: float
    deltas: int


class ModelServer:
    """The server's counters and what it was asked, readable while it serves."""

    def __init__(self) -> None:
        self.stats: Counter[str] = Counter()
        self.log: deque[dict[str, Any]] = deque(maxlen=2000)
        self.sent: deque[bytes] = deque(maxlen=2000)
        """The bodies of chat completions, byte for byte."""

        self.prompts: deque[Prompt] = deque(maxlen=2000)
        """What each of them weighed, and how much of it was cached."""

        self.closes: list[Close] = []
        self.open_streams = 0
        self.embeddings_released = asyncio.Event()
        """Cleared, embeddings wait for it."""

        self.embeddings_released.set()
        self._connections: set[Connection] = set()
        self._tries: Counter[tuple[str, ...]] = Counter()
        self._cache = PromptCache()

    @asynccontextmanager
    async def listening(self, port: int = 0) -> AsyncGenerator[str]:
        """Serves while inside; gives the base URL, `…/v1`."""
        async with serving(self._respond, port, self._connections) as bound:
            yield f"http://127.0.0.1:{bound}/v1"

    def reset(self) -> None:
        """Forgets counters, the log, closes, and who has been refused or failed already."""
        for store in (
            self.stats,
            self.log,
            self.sent,
            self.prompts,
            self.closes,
            self._tries,
        ):
            store.clear()
        self._cache = PromptCache()

    def snapshot(self) -> dict[str, Any]:
        """Returns what GET /stats answers."""
        return {
            "stats": dict(self.stats),
            "connections": len(self._connections),
            "open_streams": self.open_streams,
            "closed_early": [asdict(close) for close in self.closes],
        }

    async def _respond(self, connection: Connection, request: Request) -> None:
        path = request.path
        if path == "/stats":
            connection.reply(200, self.snapshot())
        elif path == "/log":
            connection.reply(200, {"log": list(self.log)})
        elif path == "/sent":
            connection.reply(200, {"sent": [body.decode() for body in self.sent]})
        elif path == "/reset":
            self.reset()
            connection.reply(200, {})
        elif path.endswith("/models"):
            connection.reply(200, {"object": "list", "data": [{"id": "n=20", "object": "model"}]})
        elif path.endswith("/embeddings"):
            self._note(request, request.json())
            await self.embeddings_released.wait()
            connection.reply(200, self._embeddings(request.json()))
        elif path.endswith("/chat/completions"):
            await self._complete(connection, request)
        else:
            connection.reply(404, {"error": {"message": f"no such path {path!r}"}})

    def _note(self, request: Request, body: dict[str, Any]) -> None:
        self.log.append(
            {
                "time": time.time(),
                "path": request.path,
                "model": body.get("model"),
                "traceparent": request.headers.get("traceparent", ""),
                "headers": request.headers,
                "body": body,
            }
        )

    def _embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
        self.stats["embed_calls"] += 1
        self.stats["embed_texts"] += len(texts)
        vectors = (
            [(byte - 127.5) / 128 for byte in shake_128(str(text).encode()).digest(64)]
            for text in texts
        )
        return {
            "object": "list",
            "model": body["model"],
            "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)},
            "data": [
                {"object": "embedding", "index": index, "embedding": vector}
                for index, vector in enumerate(vectors)
            ],
        }

    async def _complete(self, connection: Connection, request: Request) -> None:
        body = request.json()
        self.stats["chat"] += 1
        self._note(request, body)
        script = read_script(body["model"])
        caller = request.headers.get("authorization", "")
        if self._refuse(connection, script, caller, body["model"]):
            return
        reply = self._reply(script, caller, body, request.body)
        if not body.get("stream"):
            connection.reply(200, whole(reply))
            return
        await self._stream(connection, reply, body)

    def _refuse(self, connection: Connection, script: Script, caller: str, model: str) -> bool:
        for code, kind in STATUS_ERRORS.items():
            self._tries[code, caller, model] += code in script.parts
            if 0 < self._tries[code, caller, model] <= script.number(code):
                self.stats[code] += 1
                error = {"message": f"scripted {code}", "type": kind, "code": code}
                connection.reply(int(code), {"error": error}, script.retry_after)
                return True
        return False

    def _reply(self, script: Script, caller: str, body: dict[str, Any], sent: bytes) -> Reply:
        model = body["model"]
        prompt = self._cache.read(body, sent)
        self.sent.append(sent)
        self.prompts.append(prompt)
        self.stats["prompt_tokens"] += prompt.tokens
        self.stats["cached_tokens"] += prompt.cached
        self._tries["asked", model, prompt.digest] += 1
        again = "vary" in script.parts and self._tries["asked", model, prompt.digest] > 1
        asked = rounds_asked(body["messages"])
        most = body.get("max_completion_tokens") or body.get("max_tokens")
        reply = Reply(script, model, prompt, again, asked, script.fault, most)
        # What goes wrong goes wrong in text; a call for a tool does not use it up.
        if reply.calls or ("once" in script.parts and self._tries["once", caller, model]):
            reply.fault = None
        if reply.fault:
            self._tries["once", caller, model] += 1
        return reply

    async def _stream(self, connection: Connection, reply: Reply, body: dict[str, Any]) -> None:
        opened, before = time.time(), self.stats["deltas"]
        self.open_streams += 1
        try:
            if delay := reply.script.seconds("ttft"):
                await asyncio.sleep(delay)
            connection.start_stream()
            await self._play(connection, reply, with_usage=wants_usage(body))
        except asyncio.CancelledError:
            deltas = self.stats["deltas"] - before
            self.closes.append(Close(reply.model, opened, time.time(), deltas))
            raise
        finally:
            self.open_streams -= 1

    async def _play(self, connection: Connection, reply: Reply, *, with_usage: bool) -> None:
        connection.write(*opening(reply))
        calls = reply.calls
        if calls:
            await self._calls(connection, reply, calls)
        elif not await self._words(connection, reply):
            return
        if delay := reply.script.seconds("tail"):
            await asyncio.sleep(delay)
        ending = [reply.chunk({}, reply.finish)]
        if with_usage:
            ending.append(sse({**reply.head, "choices": [], "usage": reply.usage}))
        connection.write(*ending, b"data: [DONE]\n\n")
        connection.end_stream()

    async def _calls(
        self, connection: Connection, reply: Reply, calls: list[dict[str, Any]]
    ) -> None:
        events = [event for call in calls for event in call_events(reply, call)]
        gap = reply.script.seconds("gap")
        if not gap:
            connection.write(*events)
            return
        for event in events:
            connection.write(event)
            await asyncio.sleep(gap)

    async def _words(self, connection: Connection, reply: Reply) -> bool:
        """Streams the text; false when a scripted fault ended it."""
        if reply.script.said is not None:
            connection.write(reply.chunk({"content": reply.script.said}))
            return True
        # One template and one bytes format a word: ten times cheaper than JSON.
        before, after = reply.chunk({"content": "\0"}).split(b"\\u0000")
        mark, fault = ("~x" if reply.again else "~"), reply.fault
        pause, pending = reply.script.number("us") / 1e6, list[bytes]()
        for index in range(reply.words):
            if fault and index >= fault.after:
                send(connection, pending)
                await fail(connection, fault)
                return False
            pending.append(b"%b%b%b" % (before, f"{mark}{index} ".encode(), after))
            self.stats["deltas"] += 1
            if pause or len(pending) >= 10:
                send(connection, pending)
                await asyncio.sleep(pause)
        send(connection, pending)
        return True


def send(connection: Connection, pending: list[bytes]) -> None:
    """Writes what is pending, if anything is."""
    if pending:
        connection.write(*pending)
        pending.clear()


def wants_usage(body: dict[str, Any]) -> bool:
    """Tells whether the caller asked for a usage block at the end."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


async def fail(connection: Connection, fault: Fault) -> None:
    """Does what the fault says, in the middle of a stream."""
    if fault.kind == "hang":
        await asyncio.sleep(HANG_SECONDS)
    if fault.kind == "garbage":
        connection.write(b"data: {not json\n\n")
    if fault.kind == "529":
        error = {"message": "overloaded", "type": "overloaded_error", "code": 529}
        connection.write(sse({"error": error}))
    connection.cut()


async def main() -> None:
    """Serves until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    async with ModelServer().listening(parser.parse_args().port) as url:
        port = int(url.split(":")[2].split("/")[0])
        print(json.dumps({"url": url, "port": port}), flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
