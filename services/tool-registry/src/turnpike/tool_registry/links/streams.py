"""The ways to an MCP server: streamable HTTP, SSE, a child's standard streams."""

import os
import shutil
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from turnpike.egress.transports import GuardedTransport
from turnpike.tool_registry.links import launcher
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.telling import Telling
from turnpike.tool_registry.links.transport import ContainedTransport
from turnpike.tool_registry.model import Endpoint, Transport

MAX_MESSAGE_BYTES = 16 * 1024 * 1024

_TIMEOUTS = httpx2.Timeout(connect=10.0, write=30.0, read=None, pool=None)
_SSE_SILENCE_SECONDS = 3600.0
# One response carries the whole session.
_MAX_SSE_BYTES = 64 * MAX_MESSAGE_BYTES


@dataclass(frozen=True, slots=True)
class Streams:
    """What the SDK reads from and writes to."""

    pair: Any
    has_session: Callable[[], bool]
    """Whether the other side keeps anything from one request to the next."""

    wanted_credential: Callable[[], bool]
    """Whether the other side asked who this is, instead of answering."""

    carry: Callable[[Mapping[str, str]], None]
    """Has requests carry these headers from now on."""

    telling: Telling
    """The stream on which the other side tells of changes."""


@asynccontextmanager
async def open_streams(endpoint: Endpoint, confines: Confines) -> AsyncGenerator[Streams]:
    """Opens the way to a server."""
    opening = {
        Transport.HTTP: _http,
        Transport.SSE: _sse,
        Transport.STDIO: _child,
    }[endpoint.transport]
    async with opening(endpoint, confines) as streams:
        yield streams


@asynccontextmanager
async def _http(endpoint: Endpoint, confines: Confines) -> AsyncGenerator[Streams]:
    telling = Telling()
    transport = ContainedTransport(_guarded(confines, most=MAX_MESSAGE_BYTES), telling)
    async with (
        httpx2.AsyncClient(
            transport=transport, headers=endpoint.headers, timeout=_TIMEOUTS, trust_env=False
        ) as client,
        streamable_http_client(
            endpoint.url, http_client=client, max_sse_event_size=MAX_MESSAGE_BYTES
        ) as pair,
    ):
        yield Streams(
            pair,
            lambda: transport.has_session,
            lambda: transport.wanted_credential,
            client.headers.update,
            telling,
        )


@asynccontextmanager
async def _sse(endpoint: Endpoint, confines: Confines) -> AsyncGenerator[Streams]:
    made: list[httpx2.AsyncClient] = []

    def client(
        headers: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
        auth: httpx2.Auth | None = None,
    ) -> httpx2.AsyncClient:
        del headers, timeout, auth
        opened = httpx2.AsyncClient(
            transport=_guarded(confines, most=_MAX_SSE_BYTES),
            headers=endpoint.headers,
            timeout=_TIMEOUTS,
            trust_env=False,
        )
        made.append(opened)
        return opened

    def carry(headers: Mapping[str, str]) -> None:
        for opened in made:
            opened.headers.update(headers)

    async with sse_client(
        endpoint.url,
        sse_read_timeout=_SSE_SILENCE_SECONDS,
        httpx_client_factory=client,
    ) as pair:
        yield Streams(pair, lambda: True, lambda: False, carry, _always())


@asynccontextmanager
async def _child(endpoint: Endpoint, confines: Confines) -> AsyncGenerator[Streams]:
    command = endpoint.command[0]
    if shutil.which(command) is None:
        raise FileNotFoundError(f"there is no command {command!r}")
    names = (*confines.environment, *endpoint.env)
    parameters = StdioServerParameters(
        command=sys.executable,
        args=[
            *("-I", "-S", launcher.__file__, str(os.getpid())),
            *(str(confines.memory_bytes), str(confines.cpu_seconds), "\n".join(names)),
            *endpoint.command,
        ],
        env={**_ours(confines), **endpoint.env},
    )
    # What a server prints beside the protocol is its own; our log is JSON.
    with open(os.devnull, "w") as silence:  # noqa: ASYNC230 # never blocks
        async with stdio_client(parameters, errlog=silence) as pair:
            yield Streams(pair, lambda: True, lambda: False, lambda _headers: None, _always())


def _always() -> Telling:
    """Returns what tells on the very stream that answers."""
    telling = Telling()
    telling.begin()
    return telling


def _ours(confines: Confines) -> dict[str, str]:
    return {name: os.environ[name] for name in confines.environment if name in os.environ}  # noqa: TID251


def _guarded(confines: Confines, *, most: int) -> GuardedTransport:
    return GuardedTransport(allow_private=confines.allow_private, max_response_bytes=most)
