"""Serving HTTP until told to stop."""

import asyncio
import logging
import math
import signal
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from turnpike.gateway.readiness import Readiness
from turnpike.gateway.streams import Streams
from turnpike.rpc.process import StartError

logger = logging.getLogger(__name__)

_BACKLOG = 2048
_FORWARD_TIME = timedelta(seconds=75)


class HttpServer:
    """An HTTP server of one application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        grace_time: timedelta,
        trusted_proxies: Sequence[str] = (),
        certificate: Path | None = None,
        key: Path | None = None,
    ) -> None:
        self._server = _Server(
            uvicorn.Config(
                app,
                http="httptools",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=bool(trusted_proxies),
                forwarded_allow_ips=list(trusted_proxies),
                timeout_keep_alive=int(_FORWARD_TIME.total_seconds()),
                timeout_graceful_shutdown=math.ceil(grace_time.total_seconds()),
                ssl_certfile=certificate,
                ssl_keyfile=key,
            )
        )

    async def serve_on(self, listener: socket.socket) -> None:
        """Serves on a socket until `stop`."""
        await self._server.serve(sockets=[listener])

    def stop(self) -> None:
        """Takes no more requests, and ends when those in flight have."""
        self._server.should_exit = True


async def stop_when_signalled(
    server: HttpServer, streams: Streams, readiness: Readiness, drain_time: timedelta
) -> None:
    """Waits for SIGTERM or SIGINT, then ends what the server does, in order.

    First load balancers are told; then open streams end, such that their
    readers connect again to another replica; then the server stops.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)
    logger.info("serving")
    await stopping.wait()
    logger.info("draining")
    readiness.drain()
    await asyncio.sleep(drain_time.total_seconds())
    server.stop()
    streams.drain()


def bind(address: str, stall_time: timedelta) -> socket.socket:
    """Returns a socket bound to `host:port`, or raises `StartError`.

    What it accepts is given up when the peer acknowledges nothing for
    `stall_time`, so that a client that stopped reading cannot hold what was
    written for it.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = stall_time // timedelta(milliseconds=1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
    try:
        listener.bind((host, int(port)))
        listener.listen(_BACKLOG)
    except (OSError, ValueError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "not a host:port"
        raise StartError(f"cannot listen on {address}: {reason}") from error
    listener.setblocking(False)
    return listener


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leaves signals alone: this process drains before its server stops."""
        yield
