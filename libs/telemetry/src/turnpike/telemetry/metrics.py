"""Metrics of this process, and where Prometheus collects them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager, suppress

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

# Prometheus' own registry is shared with whatever a library puts there.
REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)

REQUEST_TIMEOUT = 5.0


def counter(name: str, description: str, labels: Sequence[str] = ()) -> Counter:
    """Returns a new counter `turnpike_<name>_total`. Made once, at import."""
    return Counter(f"turnpike_{name}", description, labels, registry=REGISTRY)


def gauge(name: str, description: str, labels: Sequence[str] = ()) -> Gauge:
    """Returns a new gauge `turnpike_<name>`. Made once, at import."""
    return Gauge(f"turnpike_{name}", description, labels, registry=REGISTRY)


def histogram(
    name: str, description: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS
) -> Histogram:
    """Returns a new histogram `turnpike_<name>`. Made once, at import."""
    return Histogram(f"turnpike_{name}", description, labels, buckets=buckets, registry=REGISTRY)


def exposition() -> bytes:
    """Returns every metric of this process in Prometheus' text format."""
    return generate_latest(REGISTRY)


@asynccontextmanager
async def serve_metrics(address: str) -> AsyncGenerator[str]:
    """Serves `GET /metrics` on `host:port` while the block runs.

    Yields the address that was bound, which tells the port when 0 was asked
    for. Raises `OSError` when the port is taken.
    """
    writers: set[asyncio.StreamWriter] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.add(writer)
        try:
            async with asyncio.timeout(REQUEST_TIMEOUT):
                writer.write(_response(await reader.readuntil(b"\r\n\r\n")))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asked has gone, or speaks something else
        finally:
            writers.discard(writer)
            writer.close()

    host, _, port = address.rpartition(":")
    server = await asyncio.start_server(answer, host.strip("[]") or None, int(port))
    try:
        yield f"{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in writers:
            writer.close()
        with suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), REQUEST_TIMEOUT)


def _response(request: bytes) -> bytes:
    if request.startswith((b"GET /metrics ", b"GET /metrics?")):
        return _http("200 OK", CONTENT_TYPE_PLAIN_0_0_4, exposition())
    return _http("404 Not Found", "text/plain", b"only GET /metrics is here\n")


def _http(status: str, content_type: str, body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body
