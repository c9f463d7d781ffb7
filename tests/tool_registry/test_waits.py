"""Transactions that work on the same rows wait for one another in one order, or not at all.

Each is held where it has come half-way, on whatever plan Postgres may make for it. No replica
serves in this database: it would be among those that wait.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tests.waiting import until
from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope
from turnpike.database.migration import MigrationUrls
from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.tool_registry import artifacts, orphans, tools
from turnpike.tool_registry.sign_ins import NewSignIn, SignIns

Work: TypeAlias = Callable[[AsyncConnection], Awaitable[Any]]

BY_KEY = ("enable_seqscan", "enable_bitmapscan", "enable_hashjoin", "enable_hashagg")
BY_PLACE = ("enable_indexscan", "enable_bitmapscan")


@pytest.fixture(scope="module")
def urls(unserved_urls: MigrationUrls) -> MigrationUrls:
    """The ways into a database in which no replica serves."""
    return unserved_urls


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """What sweeps."""
    async with open_engine(urls.system, pool_size=2) as engine:
        yield engine


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """What requests work with."""
    async with open_engine(urls.service, pool_size=2) as engine:
        yield engine


@pytest.fixture
async def tenant(superuser: asyncpg.Connection) -> UUID:
    """A tenant with the connectors a and b; b's row comes first in the table.

    Whoever listens to them has the tenant's id.
    """
    tenant = uuid4()
    for name in ("b", "a"):
        await superuser.execute(
            "INSERT INTO connectors (tenant, name, transport, url, command, headers, env,"
            " header_names, env_names, etag, tells, listener, claimed_until, claimed_by, used)"
            " VALUES ($1, $2, 'HTTP', 'http://a.test', '[]', '', '', '{}', '{}', '', true, $1,"
            " now(), gen_random_uuid(), now() - interval '1 hour')",
            tenant,
            name,
        )
    return tenant


async def planned(connection: AsyncConnection, work: Work, without: tuple[str, ...]) -> None:
    for plan in without:
        await connection.execute(text(f"SET LOCAL {plan} = off"))
    await work(connection)


async def sweep(system: AsyncEngine, work: Work, *without: str) -> None:
    async with system_transaction(system) as connection:
        await planned(connection, work, without)


async def serve(service: AsyncEngine, tenant: UUID, work: Work, *without: str) -> None:
    async with tenant_transaction(service, tenant) as connection:
        await planned(connection, work, without)


async def meet(superuser: asyncpg.Connection, held: str, key: UUID, *both: Awaitable[None]) -> None:
    """Has two meet, of which the first one comes to a row that is held; both must come through."""
    running: list[asyncio.Future[None]] = []
    async with superuser.transaction():
        await superuser.execute(f"{held} FOR UPDATE", key)
        for each in both:
            running.append(asyncio.ensure_future(each))
            await until(lambda: _rest(superuser, running))
    await asyncio.gather(*running)


async def _rest(superuser: asyncpg.Connection, running: list[asyncio.Future[None]]) -> bool:
    await superuser.execute("SELECT pg_stat_clear_snapshot()")
    waiting = await superuser.fetchval(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    return waiting == sum(not each.done() for each in running)


@pytest.mark.parametrize("sweeps", ["let go", "settle"])
async def test_who_notes_a_use_and_who_sweeps_connectors(
    tenant: UUID,
    superuser: asyncpg.Connection,
    system: AsyncEngine,
    service: AsyncEngine,
    sweeps: str,
):
    work: dict[str, Work] = {
        "let go": lambda connection: orphans.let_go(connection, tenant),
        "settle": orphans.settle,
    }

    await meet(
        superuser,
        "SELECT FROM connectors WHERE tenant = $1 AND name = 'b'",
        tenant,
        sweep(system, work[sweeps], *BY_PLACE),
        serve(service, tenant, lambda each: tools.note_use(each, tenant, ["a", "b"]), *BY_KEY),
    )

    assert (
        await superuser.fetchval(
            "SELECT count(*) FROM connectors WHERE tenant = $1"
            " AND used > now() - interval '1 minute'",
            tenant,
        )
        == 2
    )


async def test_who_forgets_turns_and_who_settles_their_calls(
    superuser: asyncpg.Connection, system: AsyncEngine, service: AsyncEngine
):
    tenant, (first, last) = uuid4(), sorted([uuid4(), uuid4()])
    # Among so many others that each turn's are looked up in the order in which they were named.
    await superuser.execute(
        "INSERT INTO calls (tenant, effect, turn, step, ordinal, fence, digest, tool,"
        " definition_digest, arguments, principal, traceparent, executor, deadline)"
        " SELECT $1, turn || ':1:0', turn, 1, 0, 1, '', 'a/one', '', '{}', '', '',"
        " CASE WHEN turn = ANY ($2) THEN gen_random_uuid() END, now() FROM unnest($2 || ARRAY("
        "SELECT gen_random_uuid() FROM generate_series(1, 1000))) AS turn",
        tenant,
        [first, last],
    )
    await superuser.execute("ANALYZE calls")

    await meet(
        superuser,
        "SELECT FROM calls WHERE turn = $1",
        last,
        serve(
            service,
            tenant,
            lambda each: artifacts.forget_turns(each, tenant, [last, first]),
            *BY_KEY,
        ),
        sweep(system, orphans.settle),
    )

    # What was held then is settled by the next sweep.
    await sweep(system, orphans.settle)
    rows = await superuser.fetch(
        "SELECT forgotten, executor, attempt FROM calls WHERE turn = ANY ($1)", [first, last]
    )
    assert [tuple(row) for row in rows] == [(True, None, 2)] * 2


async def test_who_forgets_a_turn_and_who_deletes_its_artifacts(
    superuser: asyncpg.Connection, system: AsyncEngine, service: AsyncEngine
):
    tenant, turn, (low, high) = uuid4(), uuid4(), sorted([uuid4(), uuid4()])
    for number, artifact in enumerate((high, low)):
        await superuser.execute(
            "INSERT INTO artifacts (id, tenant, principal, turn, effect, name, media_type, size,"
            " digest) VALUES ($1, $2, '', $3, $4, 'a', 'a/b', 1, '')",
            artifact,
            tenant,
            turn,
            f"{turn}:1:{number}",
        )

    await meet(
        superuser,
        "SELECT FROM artifacts WHERE id = $1",
        high,
        serve(service, tenant, lambda each: artifacts.forget_turns(each, tenant, [turn]), *BY_KEY),
        sweep(system, lambda each: artifacts.forget(each, [high, low]), *BY_KEY),
    )

    assert not await superuser.fetchval("SELECT count(*) FROM artifacts WHERE turn = $1", turn)


async def test_who_begins_a_sign_in_and_who_forgets_old_ones(
    tenant: UUID, superuser: asyncpg.Connection, system: AsyncEngine, service: AsyncEngine
):
    begun, (low, high) = SignIns(Envelope({"k1": bytes(32)})), sorted([uuid4(), uuid4()])
    # Of twenty-two the two oldest go; the sweep comes to them by their end.
    for number, sign_in in enumerate((high, low, *(uuid4() for _ in range(20)))):
        await superuser.execute(
            "INSERT INTO sign_ins (tenant, id, state_digest, connector, principal, owner, place,"
            " issuer, pending, expires, created) VALUES ($1, $2, $2::uuid::text, 'a', 'ada', '',"
            " '', '', '', now() - make_interval(hours => 3, secs => $3), now()"
            " - make_interval(hours => 4, secs => $3))",
            tenant,
            sign_in,
            -float(number),
        )
    await superuser.execute(
        "UPDATE sign_ins SET expires = now() WHERE tenant = $1 AND id <> ALL ($2)",
        tenant,
        [low, high],
    )
    new = NewSignIn(
        connector="b",
        principal="ada",
        owner="",
        place="",
        issuer="",
        state="new",
        pending="",
        life=timedelta(minutes=10),
    )

    await meet(
        superuser,
        "SELECT FROM sign_ins WHERE id = $1",
        high,
        sweep(system, orphans.forget_sign_ins, *BY_KEY),
        serve(service, tenant, lambda each: begun.begin(each, tenant, new), *BY_KEY),
    )

    # What was held then is forgotten by the next sweep.
    await sweep(system, orphans.forget_sign_ins)
    left = await superuser.fetch("SELECT id FROM sign_ins WHERE tenant = $1", tenant)
    assert not {low, high} & {row["id"] for row in left}
