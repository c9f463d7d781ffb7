"""Connections to Postgres, set up so that a stopped process holds nobody up."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from sqlalchemy import event, make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

# A process that is stopped inside a transaction keeps its row locks until
# Postgres ends the session; these bound how long a takeover can wait for it.
_SESSION = {
    "idle_in_transaction_session_timeout": "2000",
    "lock_timeout": "2000",
    "tcp_user_timeout": "4000",
    "statement_timeout": "15000",
    # The statements here are short and known: a just-in-time compiler only
    # adds to them.
    "jit": "off",
}

_CONNECT_TIMEOUT_SECONDS = 5
_COMMAND_TIMEOUT_SECONDS = 20


@asynccontextmanager
async def open_engine(url: str, *, pool_size: int = 10) -> AsyncGenerator[AsyncEngine]:
    """Lends an engine on `url`; nothing is connected yet.

    Args:
        url: `postgresql://user:password@host:port/database`.
        pool_size: How many connections there may be at most.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_CONNECT_TIMEOUT_SECONDS,
        connect_args={
            "server_settings": _SESSION,
            "timeout": _CONNECT_TIMEOUT_SECONDS,
            "command_timeout": _COMMAND_TIMEOUT_SECONDS,
        },
    )
    event.listen(engine.sync_engine, "checkout", _check_open)
    try:
        yield engine
    finally:
        await engine.dispose()


def _check_open(connection: Any, _record: object, _proxy: object) -> None:
    """Has a connection that died with its server replaced, before a statement draws it.

    The driver hears of it at once, by itself. The pool's own way, a ping, is three round trips
    before each transaction.
    """
    if connection.driver_connection.is_closed():
        raise DisconnectionError


async def open_pool(url: str, *, min_size: int = 1, max_size: int = 10) -> asyncpg.Pool:
    """Returns a pool of plain driver connections, for the few hot statements.

    Args:
        url: `postgresql://user:password@host:port/database`.
        min_size: How many connections are kept open.
        max_size: How many there may be at most.

    Raises:
        OSError: The server does not answer.
    """
    return await asyncpg.create_pool(
        url,
        min_size=min_size,
        max_size=max_size,
        timeout=_CONNECT_TIMEOUT_SECONDS,
        command_timeout=_COMMAND_TIMEOUT_SECONDS,
        server_settings=_SESSION,
        # Every hot statement sets what it needs itself; a RESET between uses
        # would cost a round trip each.
        reset=_no_reset,
    )


async def _no_reset(_connection: asyncpg.Connection) -> None:
    return None
