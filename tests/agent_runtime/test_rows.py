"""No tenant sees another's rows, whatever statement agent-runtime forgets to narrow.

The tables are the catalogue's: one that a migration adds is held to the same.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import asyncpg
import pytest

from tests.agent_runtime.models.keeping import pb, put_key, set_mode
from tests.agent_runtime.serving import Tenant
from tests.doubles.model_server import ModelServer
from turnpike.database.migration import MigrationUrls

TABLES = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relrowsecurity AS enabled,
  c.relforcerowsecurity AS forced, r.rolname AS owner
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'agent_runtime'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND c.relname <> 'alembic_version'
"""
OWNED = """
SELECT count(*) FROM pg_shdepend WHERE deptype = 'o'
  AND refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole
"""
FUNCTIONS = """
SELECT proname FROM pg_proc WHERE pronamespace = 'agent_runtime'::regnamespace AND prosecdef
"""
SET_TENANT = "SELECT set_config('turnpike.tenant', $1, true)"

NOBODY_S = {"provider_outages", "replicas"}
"""Tables of the suite itself: the system role's alone."""


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the service role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


async def fill(tenant: Tenant, url: str, superuser: asyncpg.Connection) -> Tenant:
    """Gives a tenant a row in every table."""
    # What is settled leaves the outbox; this stays.
    await superuser.execute(
        "INSERT INTO usage_outbox (tenant, turn, segment, entries, ends, due_at)"
        " VALUES ($1, gen_random_uuid(), 1, '[]', true, 'infinity')",
        UUID(tenant.id),
    )
    wanted = {"provider": "openai", "base_url": url, "model": "n=1+tool=no__tool", "api_key": "k"}
    await tenant.model("member", **wanted)
    await tenant.model("pool", provider="pool", model="", members=[{"model": "member"}])
    await tenant.agent(model="pool")
    for number in (1, 2):
        key = pb.ProviderKey(name=f"k{number}", provider="openai", base_url=url, api_key="k")
        await put_key(tenant, key)
    await set_mode(tenant, pb.KEY_MODE_PREFERRED)
    turn = await tenant.ended((await tenant.start()).id)
    assert turn.calls
    return tenant


async def owners(connection: asyncpg.Connection, table: str, tenant: str | None = None) -> set[str]:
    """Returns whose rows a connection sees, in a transaction of a tenant or of none."""
    async with connection.transaction():
        if tenant is not None:
            await connection.execute(SET_TENANT, tenant)
        return {str(row[0]) for row in await connection.fetch(f"SELECT tenant FROM {table}")}


async def test_every_table_shows_a_tenant_its_own_rows_alone(
    new_tenant: Callable[[], Awaitable[Tenant]],
    provider: ModelServer,
    provider_url: str,
    superuser: asyncpg.Connection,
    service: asyncpg.Connection,
):
    mine, theirs = [await fill(await new_tenant(), provider_url, superuser) for _ in range(2)]
    tables = [table for table in await superuser.fetch(TABLES) if table["name"] not in NOBODY_S]

    assert len(tables) >= 8
    for table in tables:
        name = table["name"]
        assert (table["kind"], table["enabled"], table["forced"]) == ("r", True, True), name
        assert table["owner"] == "agent_runtime_owner", name
        assert {mine.id, theirs.id} <= await owners(superuser, name), name
        assert await owners(service, name) == set(), name
        assert await owners(service, name, "") == set(), name
        assert await owners(service, name, mine.id) == {mine.id}, name


async def test_no_row_can_be_written_for_another_tenant(
    new_tenant: Callable[[], Awaitable[Tenant]],
    provider: ModelServer,
    provider_url: str,
    superuser: asyncpg.Connection,
    service: asyncpg.Connection,
):
    mine, theirs = [await fill(await new_tenant(), provider_url, superuser) for _ in range(2)]
    tables = [row["name"] for row in await superuser.fetch(TABLES) if row["name"] not in NOBODY_S]

    for table in tables:
        # What cannot be changed at all cannot be given away either.
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match=r"row-level|permission"):
            async with service.transaction():
                await service.execute(SET_TENANT, mine.id)
                await service.execute(f"UPDATE {table} SET tenant = $1", UUID(theirs.id))
        row = await superuser.fetchval(
            f"SELECT to_jsonb(t) FROM {table} t WHERE tenant = $1 LIMIT 1", UUID(theirs.id)
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level"):
            async with service.transaction():
                await service.execute(SET_TENANT, mine.id)
                await service.execute(
                    f"INSERT INTO {table} OVERRIDING SYSTEM VALUE"
                    f" SELECT (jsonb_populate_record(NULL::{table}, $1)).*",
                    row,
                )


async def test_what_belongs_to_no_tenant_is_out_of_the_service_role_s_reach(
    superuser: asyncpg.Connection, service: asyncpg.Connection
):
    names = {row["name"] for row in await superuser.fetch(TABLES)}

    assert names >= NOBODY_S
    for table in NOBODY_S:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
            await service.fetch(f"SELECT * FROM {table}")


@pytest.mark.parametrize("role", ["agent_runtime", "agent_runtime_system"])
async def test_the_services_roles_own_nothing_and_bypass_nothing(
    superuser: asyncpg.Connection, role: str
):
    may = await superuser.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb FROM pg_roles"
        " WHERE rolname = $1",
        role,
    )

    assert may is not None
    assert not any(may)
    assert await superuser.fetchval(OWNED, role) == 0
    assert not await superuser.fetchval(
        "SELECT pg_has_role($1, 'agent_runtime_owner', 'member')", role
    )


async def test_no_function_lends_its_owner_s_rights(superuser: asyncpg.Connection):
    assert await superuser.fetch(FUNCTIONS) == []
