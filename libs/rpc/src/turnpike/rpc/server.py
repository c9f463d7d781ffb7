"""Serving until told to stop."""

import asyncio
import logging
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from turnpike.rpc.channel import MAX_MESSAGE_BYTES
from turnpike.rpc.interceptors import Authenticate, CallInterceptor, Translate
from turnpike.rpc.process import StartError
from turnpike.rpc.tenure import UntilRevoked
from turnpike.rpc.tls import Tls

logger = logging.getLogger(__name__)

OPTIONS: Sequence[tuple[str, Any]] = (
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
    # A second process on the same port must fail, not share it.
    ("grpc.so_reuseport", 0),
    # Clients ask every few seconds whether we live, also between calls.
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", 1_000),
    ("grpc.http2.max_ping_strikes", 0),
    # A client that vanished without a word frees its streams in this time.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 5_000),
    ("grpc.http2.bdp_probe", 0),
)


def new_server(
    service: str,
    *,
    authenticate: Authenticate | None = None,
    until_revoked: UntilRevoked | None = None,
    open_methods: frozenset[str] = frozenset(),
    translate: Translate | None = None,
) -> grpc.aio.Server:
    """Returns a server that answers errors and bad requests the turnpike way.

    Call it inside the loop that will serve. For the arguments see
    `CallInterceptor`.
    """
    interceptor = CallInterceptor(
        domain=f"{service}.turnpike",
        authenticate=authenticate,
        until_revoked=until_revoked,
        open_methods=open_methods,
        translate=translate,
    )
    return grpc.aio.server(interceptors=[interceptor], options=list(OPTIONS))


def listen(server: grpc.aio.Server, address: str, tls: Tls | None = None) -> int:
    """Makes `server` listen on `host:port`, and returns the port.

    Raises `StartError` when the port is taken or the address is not ours.
    """
    _refuse_taken(address)
    credentials = tls.server_credentials() if tls else None
    try:
        if credentials is not None:
            return server.add_secure_port(address, credentials)
        return server.add_insecure_port(address)
    except RuntimeError as error:
        raise StartError(f"cannot listen on {address}: {error}") from error


@asynccontextmanager
async def serving(
    server: grpc.aio.Server, *, grace_time: timedelta, services: Sequence[str] = ()
) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
    """Starts a server that has its ports and servicers, and stops it after the block.

    Health and reflection are served beside. Yields what turns the health to
    NOT_SERVING for good.

    Args:
        server: Not started.
        grace_time: How long calls in flight may take to finish at the end.
        services: Full names of the services, for health and reflection.
    """
    servicer = health.aio.HealthServicer()  # pyright: ignore[reportAttributeAccessIssue]
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    reflection.enable_server_reflection(
        [*services, health.SERVICE_NAME, reflection.SERVICE_NAME], server
    )
    await server.start()
    for name in ("", *services):
        await servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        yield servicer.enter_graceful_shutdown
    finally:
        await servicer.enter_graceful_shutdown()
        await server.stop(grace_time.total_seconds())


async def serve_until_signalled(
    server: grpc.aio.Server,
    *,
    drain_time: timedelta,
    grace_time: timedelta,
    services: Sequence[str] = (),
    draining: asyncio.Event | None = None,
) -> None:
    """Serves until SIGTERM or SIGINT, then drains and stops.

    Args:
        server: Has its ports and servicers; not started.
        drain_time: How long to go on taking calls after reporting NOT_SERVING,
            so that load balancers stop sending them.
        grace_time: How long calls in flight may then take to finish.
        services: Full names of the services, for health and reflection.
        draining: Set when draining begins, for work that should wind up then:
            a stream that has no end of its own would last out `grace_time`.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stopping.set)

    async with serving(server, grace_time=grace_time, services=services) as drain:
        logger.info("serving")
        await stopping.wait()
        logger.info("draining")
        await drain()
        if draining is not None:
            draining.set()
        await asyncio.sleep(drain_time.total_seconds())
    logger.info("stopped")


def _refuse_taken(address: str) -> None:
    """Raises `StartError` if the address cannot be bound.

    gRPC would say so too, in several lines of its own on stderr.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As gRPC does: connections that linger after a restart do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(port)))
        except (OSError, ValueError, OverflowError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not a host:port"
            raise StartError(f"cannot listen on {address}: {reason}") from error
