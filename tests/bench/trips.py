"""How often a turn asks the databases: counted by them, so that no load can change it."""

import asyncio
import time

import asyncpg
from redis.asyncio import Redis

from tests.bench.bench import Bench, Figure
from tests.bench.load import Target, run_load

# What a connection counts reaches the server's sums a second after it falls idle.
SETTLED_SECONDS = 3
REST_SECONDS = 10
TRANSACTIONS = """
SELECT sum(xact_commit + xact_rollback)::bigint FROM pg_stat_database WHERE datname = $1
"""


async def print_trips(bench: Bench, turns: int) -> None:
    """Prints how many transactions and commands a turn of one step comes to."""
    began, before = time.monotonic(), await counted(bench)
    await asyncio.sleep(REST_SECONDS)
    rates = per(await counted(bench), before, time.monotonic() - began)
    target = bench.ours(100)
    began, before = time.monotonic(), await counted(bench)
    await spend(target, turns)
    after, seconds = await counted(bench), time.monotonic() - began
    for name, each, rate in zip(
        ("Postgres transactions", "Redis commands"), per(after, before, 1), rates, strict=True
    ):
        a_turn = (each - rate * seconds) / turns
        print(Figure(f"{name} a turn", f"{a_turn:.1f}"))
        print(Figure(f"{name} a second at rest", f"{rate:.1f}"), flush=True)


async def spend(target: Target, turns: int) -> None:
    """Runs turns one after another."""
    await run_load(target, clients=1, streams=turns)


async def counted(bench: Bench) -> tuple[int, int]:
    """Returns how many transactions and commands there have been."""
    await asyncio.sleep(SETTLED_SECONDS)
    connection = await asyncpg.connect(bench.suite.run["postgres"])
    try:
        transactions = await connection.fetchval(TRANSACTIONS, "turnpike")
    finally:
        await connection.close()
    async with Redis.from_url(bench.suite.run["redis"]) as redis:
        stats = await redis.info("stats")
    return transactions, stats["total_commands_processed"]


def per(after: tuple[int, int], before: tuple[int, int], of: float) -> list[float]:
    """Returns what came between, each by `of`."""
    return [(late - early) / of for late, early in zip(after, before, strict=True)]
