"""Telling a database that is away from a statement that is wrong."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar, cast

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

T = TypeVar("T")

_AGAIN_SECONDS = 0.2

_AWAY = (
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.ConnectionFailureError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.QueryCanceledError,
    asyncpg.InterfaceError,
    # What asyncpg says of a connection whose server has said goodbye ("terminating
    # connection") but whose end of stream has not been read yet.
    asyncpg.InternalClientError,
    ConnectionError,
    TimeoutError,
    PoolTimeoutError,
    OSError,
)


def is_unavailable(error: BaseException) -> bool:
    """Says whether `error` means that Postgres is away, slow or restarting.

    The same statement may succeed later. Everything else is a fault of ours. Of what failed
    side by side, all must mean it.
    """
    if isinstance(error, ExceptionGroup):
        several = cast("ExceptionGroup[Exception]", error)
        return all(is_unavailable(each) for each in several.exceptions)
    if isinstance(error, DBAPIError):
        if error.connection_invalidated or isinstance(error, InterfaceError | OperationalError):
            return True
        return error.orig is not None and _chain_is_away(error.orig)
    return isinstance(error, _AWAY)


def _chain_is_away(error: BaseException) -> bool:
    # SQLAlchemy wraps the driver's error in its own, with the driver's as cause.
    return isinstance(error, _AWAY) or isinstance(error.__cause__, _AWAY)


async def persist(attempt: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Tries what may be done twice until Postgres answers, or has not for so many seconds.

    Raises whatever the last attempt does.
    """
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not is_unavailable(error) or time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(_AGAIN_SECONDS)
