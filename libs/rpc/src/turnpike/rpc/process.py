"""A service's process, from its start to its end."""

import errno
import os
import sys
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import uvloop

from turnpike.rpc.settings import ServiceSettings
from turnpike.telemetry import configure
from turnpike.telemetry.metrics import serve_metrics

S = TypeVar("S", bound=ServiceSettings)

_BINDING = (errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES)


class StartError(Exception):
    """The process cannot start; its text is one line for the operator."""


def start(settings: type[S], serve: Callable[[S], Coroutine[Any, Any, None]]) -> None:
    """Reads a service's settings from the environment, and runs it to its end.

    A setting that is missing or wrong ends the process with status 1 and says which.
    """
    try:
        given = settings()  # pyright: ignore[reportCallIssue] # read from the environment
    except ValueError as error:
        sys.exit(f"error: {error}")
    configure(
        given.service(),
        given.replica_name,
        otlp_endpoint=given.otlp_endpoint,
        log_level=given.log_level,
    )
    run(lambda: serve(given))


@asynccontextmanager
async def metrics_served(address: str) -> AsyncGenerator[None]:
    """Serves `/metrics` on `host:port` while the block runs.

    Raises:
        StartError: The port is taken, or the address is not ours.
    """
    async with AsyncExitStack() as resources:
        try:
            await resources.enter_async_context(serve_metrics(address))
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            raise StartError(f"cannot listen on {address}: {reason}") from error
        yield


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a service's coroutine on uvloop to its end.

    A `StartError`, or any other address that cannot be bound, ends the process
    with status 1 and one line on stderr, also out of a task group.
    """
    try:
        uvloop.run(main())
    except* StartError as errors:
        sys.exit(f"error: {_first(errors)}")
    except* OSError as errors:
        error = _first(errors)
        if not isinstance(error, OSError) or error.errno not in _BINDING:
            raise
        sys.exit(f"error: {error.strerror or error}")


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error
