"""Which of the driver's errors mean that Postgres is away."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from sqlalchemy import make_url

from tests.waiting import until
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.failures import is_unavailable


@asynccontextmanager
async def endless(url: str) -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """A way to the server that keeps the end of its stream back.

    Yields:
        Its URL, and what is set once the server has closed.
    """
    closed = asyncio.Event()
    server = make_url(url)

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        out, into = await asyncio.open_connection(server.host, server.port)
        sending = asyncio.create_task(pipe(reader, into))
        await pipe(out, writer)
        closed.set()
        await sending
        into.close()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1") as proxy:
        port = proxy.sockets[0].getsockname()[1]
        there = server.set(host="127.0.0.1", port=port)
        yield there.render_as_string(hide_password=False), closed


async def test_a_connection_that_was_said_goodbye_to_counts_as_away(postgres: LocalPostgres):
    async with endless(postgres.url) as (url, closed):
        connection = await asyncpg.connect(url)
        pid = await connection.fetchval("SELECT pg_backend_pid()")
        other = await asyncpg.connect(postgres.url)
        await other.execute("SELECT pg_terminate_backend($1)", pid)
        await other.close()
        await until(closed.is_set)

        with pytest.raises(asyncpg.InternalClientError) as raised:
            await connection.fetchval("SELECT 1")

        connection.terminate()
        assert is_unavailable(raised.value)


def test_a_wrong_statement_does_not_count_as_away():
    assert not is_unavailable(asyncpg.UndefinedTableError("no such table"))


def test_what_failed_side_by_side_counts_as_away_if_all_of_it_does():
    away, wrong = asyncpg.AdminShutdownError("bye"), asyncpg.UndefinedTableError("no such table")

    assert is_unavailable(ExceptionGroup("", [away, ExceptionGroup("", [away])]))
    assert not is_unavailable(ExceptionGroup("", [away, wrong]))
