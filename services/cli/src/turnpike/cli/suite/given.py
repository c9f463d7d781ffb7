"""Databases that the user gave: whether they answer, before anything relies on them."""

import asyncio

import psycopg

from turnpike.cli.errors import CommandError
from turnpike.cli.suite.order import Order

_TIMEOUT = 10


async def check_given(order: Order) -> None:
    """Raises CommandError unless the databases that `order` names answer."""
    if order.database_url:
        await _check_database(order.database_url)
    if order.redis_url:
        await _check_redis(order.redis_url)


async def _check_database(url: str) -> None:
    try:
        await asyncio.to_thread(_connect, url)
    except psycopg.Error as error:
        raise CommandError(
            f"TURNPIKE_DATABASE_URL: {_one_line(error)}; `turnpike doctor` says more"
        ) from error


async def _check_redis(url: str) -> None:
    # Takes a third of a second to import, and most suites have a Redis of their own.
    from redis.asyncio import Redis
    from redis.exceptions import RedisError

    try:
        async with Redis.from_url(url, socket_timeout=_TIMEOUT) as redis:
            await redis.get("turnpike")
    except (RedisError, ValueError, OSError) as error:
        raise CommandError(
            f"TURNPIKE_REDIS_URL: {_one_line(error)}; `turnpike doctor` says more"
        ) from error


def _connect(url: str) -> None:
    psycopg.connect(url, connect_timeout=_TIMEOUT).close()


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
