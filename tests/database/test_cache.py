"""Redis, as those rely on it who may be cancelled at any moment."""

import asyncio

import pytest

from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.cache import open_redis


@pytest.mark.parametrize("ticks", range(8))
async def test_no_cancellation_is_lost_whenever_it_comes(valkey: LocalRedis, ticks: int):
    async with open_redis(valkey.url) as redis:
        await redis.ping()

        async def work() -> None:
            await redis.echo("x")
            await asyncio.Event().wait()

        working = asyncio.create_task(work())
        for _ in range(ticks):
            await asyncio.sleep(0)
        working.cancel()
        done, _ = await asyncio.wait([working], timeout=15)

        assert done and working.cancelled()
        assert await redis.echo("y") == b"y"


async def test_a_thousand_commands_at_once_take_turns(valkey: LocalRedis):
    async with open_redis(valkey.url) as redis:
        answers = await asyncio.gather(*(redis.echo(str(number)) for number in range(1000)))

    assert answers == [str(number).encode() for number in range(1000)]
