"""Connections that died while nobody used them."""

import asyncpg
from sqlalchemy import text

from tests.waiting import until
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.engine import open_engine
from turnpike.database.tenancy import system_transaction

PID = text("SELECT pg_backend_pid()")


async def test_a_connection_that_died_in_the_pool_is_replaced_before_anybody_gets_it(
    postgres: LocalPostgres,
):
    async with open_engine(postgres.url, pool_size=3) as engine:
        async with engine.connect() as first, engine.connect() as second, engine.connect() as third:
            every = [first, second, third]
            pids = [await each.scalar(PID) for each in every]
            drivers = [(await each.get_raw_connection()).driver_connection for each in every]
        other = await asyncpg.connect(postgres.url)
        await other.execute("SELECT pg_terminate_backend(pid) FROM unnest($1::int[]) pid", pids)
        await until(lambda: all(driver is not None and driver.is_closed() for driver in drivers))

        for _ in pids:
            async with system_transaction(engine) as connection:
                assert await connection.scalar(PID) not in pids

        await other.close()


async def test_a_transaction_costs_no_trip_to_see_whether_anybody_is_there(
    postgres: LocalPostgres,
):
    async with open_engine(postgres.url, pool_size=1) as engine:
        async with system_transaction(engine) as connection:
            pid = await connection.scalar(PID)
        other = await asyncpg.connect(postgres.url)
        state = "SELECT query FROM pg_stat_activity WHERE pid = $1"
        assert await other.fetchval(state, pid) == "COMMIT;"

        async with engine.connect():
            # Nothing was said since.
            assert await other.fetchval(state, pid) == "COMMIT;"

        await other.close()
