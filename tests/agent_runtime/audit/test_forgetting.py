"""The end of the audit's keeping: what is old is gone, and the rest is still a chain."""

from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.audit.test_audit import entries, lines, pages, report, sealed
from tests.agent_runtime.serving import Tenant
from tests.waiting import until
from turnpike.agent_runtime.audit.forgetting import forget
from turnpike.cli.audit.chain import Head, Report, verify
from turnpike.database.engine import open_engine
from turnpike.database.migration import MigrationUrls

KEEP = timedelta(days=30)
OLD, YOUNG = 6, 3
WHOLE = OLD + YOUNG + 1
"""How far the chain of `aged` goes once it says that its old entries are gone."""


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """The system role, beside the replica's own sealer."""
    async with open_engine(urls.system, pool_size=2) as engine:
        yield engine


@pytest.fixture
async def aged(new_tenant: Any, superuser: asyncpg.Connection, system: AsyncEngine) -> Tenant:
    """A tenant with a chain of old entries, and young ones after them."""
    tenant: Tenant = await new_tenant()
    for number in range(OLD + YOUNG):
        days = 40 if number < OLD else 2
        time = (datetime.now(UTC) - timedelta(days=days)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        await superuser.execute(
            "WITH e AS (INSERT INTO audit_entries (tenant, id, entry) VALUES ($1, $2, $3)"
            "  RETURNING tenant, number, id)"
            " INSERT INTO audit_unsealed (tenant, number, entry) SELECT * FROM e",
            UUID(tenant.id),
            f"test:{number}",
            orjson.dumps({"id": f"test:{number}", "kind": "CALL", "time": time}).decode(),
        )
    await sealed(system, tenant, superuser)
    return tenant


async def forgotten(
    system: AsyncEngine, tenant: Tenant, superuser: asyncpg.Connection, keep: timedelta = KEEP
) -> Report:
    """Returns what verifying finds once the old is gone; the sealer may be at the chain."""

    async def is_gone() -> bool:
        await forget(system, keep)
        return (await report(tenant)).begins.position > 0

    await until(is_gone)
    await sealed(system, tenant, superuser)
    return await report(tenant)


async def test_what_is_old_is_gone_and_the_rest_is_verified_from_where_it_begins(
    aged: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    before = {each.position: each for each in await entries(aged)}
    known = (await report(aged)).head

    after = await forgotten(system, aged, superuser)
    again = await forgotten(system, aged, superuser)
    left = await entries(aged)
    said = orjson.loads(left[-1].entry)

    assert (after.faults, after.begins) == ([], Head(OLD, before[OLD].hash))
    assert (after.head.position, again.head) == (WHOLE, after.head)
    assert [each.position for each in left] == [*range(OLD + 1, WHOLE + 1)]
    assert left[:YOUNG] == [before[each] for each in range(OLD + 1, OLD + YOUNG + 1)]
    assert (said["kind"], said["position"], said["hash"]) == ("FORGOTTEN", OLD, before[OLD].hash)
    # Heads that were noted while everything was there still hold.
    assert (await report(aged, known)).faults == []
    assert (await report(aged, after.begins)).faults == []
    other = Head(OLD, "0" * 64)
    assert (await report(aged, other)).faults == [
        f"{OLD}: the chain was made anew, its hash was {other.hash}"
    ]


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        pytest.param(
            "DELETE FROM audit_entries WHERE tenant = $1 AND id = 'test:7'",
            "8: the entry is missing",
            id="entry",
        ),
        pytest.param(
            "DELETE FROM audit_seals WHERE tenant = $1 AND position = 7",
            "8 comes after 6: something is missing",
            id="first",
        ),
        pytest.param(
            "UPDATE audit_anchors SET position = position + 1 WHERE tenant = $1",
            "it begins after 7, and nothing in it says why",
            id="anchor",
        ),
        pytest.param(
            "UPDATE audit_anchors SET hash = repeat('0', 64) WHERE tenant = $1",
            "7: it is not what was sealed there (test:6)",
            id="hash",
        ),
    ],
)
async def test_whoever_removes_more_is_found_out(
    aged: Tenant, superuser: asyncpg.Connection, system: AsyncEngine, statement: str, fault: str
):
    whole = await forgotten(system, aged, superuser)
    await superuser.execute(statement, UUID(aged.id))

    assert whole.faults == []
    assert fault in (await report(aged)).faults


async def test_what_was_removed_by_others_is_never_forgotten(
    aged: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    await superuser.execute(
        "DELETE FROM audit_entries WHERE tenant = $1 AND id = 'test:3'", UUID(aged.id)
    )

    after = await forgotten(system, aged, superuser)

    assert after.begins.position == 3
    assert after.faults == ["4: the entry is missing"]


async def test_nothing_younger_than_a_day_is_forgotten_and_a_newest_entry_stays(
    aged: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    first = await forgotten(system, aged, superuser, timedelta(0))
    [told] = await entries(aged, after_position=first.begins.position + 1)

    # Of what is older than a day the newest stays; beside it what says that the rest is gone.
    assert (first.begins.position, first.faults) == (OLD + YOUNG - 1, [])
    assert orjson.loads(told.entry)["kind"] == "FORGOTTEN"


async def test_an_export_that_is_overtaken_goes_on_where_the_chain_begins_by_then(
    aged: Tenant, superuser: asyncpg.Connection, system: AsyncEngine
):
    """Its first page has three entries of those that are forgotten before the second one."""
    reading = pages(aged)
    read = lines(await anext(reading))
    await forgotten(system, aged, superuser)
    async for page in reading:
        read += lines(page)

    found = verify(read)

    assert (found.faults, found.begins.position, found.head.position) == ([], OLD, WHOLE)
    assert len(read) == 3 + 1 + YOUNG + 1


async def test_the_roles_of_the_service_forget_by_the_sweep_alone(
    urls: MigrationUrls, aged: Tenant
):
    connection = await asyncpg.connect(urls.service)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("SELECT forget_audit($1, interval '1 day', 10)", UUID(aged.id))
    finally:
        await connection.close()
