"""No tenant sees another's rows, whatever statement gatekeeper forgets to narrow."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.gatekeeper.serving import Gatekeeper, Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import RevokeApiKeyRequest
from turnpike.database.migration import MigrationUrls

TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, r.rolname AS owner
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'gatekeeper'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND c.relname NOT IN ('alembic_version', 'plans')
"""

# What no call through the front door has written yet.
MONEY = """
INSERT INTO plans (name, tier) VALUES ('rows', 'free') ON CONFLICT DO NOTHING;
INSERT INTO subscriptions (tenant, plan) VALUES ('{tenant}', 'rows');
INSERT INTO overrides (tenant, slots) VALUES ('{tenant}', 1);
INSERT INTO budgets (tenant, scope, period, limit_micro_usd)
  VALUES ('{tenant}', 'tenant', 'day', 1);
INSERT INTO counters VALUES ('{tenant}', 'tenant', '', 'day', now(), 1);
INSERT INTO ledger VALUES (
  '{tenant}', gen_random_uuid(), gen_random_uuid(), 1, 1, 0, 1, 'chat', gen_random_uuid(), NULL,
  '', 'a model', 1, 0, 0, 1, 0, 1, false, false, false, 'tenant', '')
"""

OWNED = """
SELECT count(*) FROM pg_shdepend WHERE deptype = 'o'
  AND refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole
"""


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the service role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


async def fill(gatekeeper: Gatekeeper, superuser: asyncpg.Connection) -> Tenant:
    """Returns a new tenant that has a row in every table."""
    tenant = await gatekeeper.create_tenant(slots=1)
    await superuser.execute(MONEY.format(tenant=tenant.id))
    key = (await tenant.create_key()).api_key
    await tenant.ban(key.principal.id)
    request = RevokeApiKeyRequest(id=key.id)
    await gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)
    await refusal(tenant.admit(tenant.turn(principal=key.principal.id)))

    async def recorded() -> bool:
        asked = "SELECT count(*) FROM refusals WHERE tenant = $1"
        return await superuser.fetchval(asked, tenant.id) > 0

    await until(recorded)
    return tenant


async def rows(connection: asyncpg.Connection, table: str, tenant: str | None = None) -> set[str]:
    """Returns whose rows a connection sees, in a transaction of a tenant or of none."""
    async with connection.transaction():
        if tenant is not None:
            await connection.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant)
        return {str(row[0]) for row in await connection.fetch(f"SELECT tenant FROM {table}")}


async def test_every_table_shows_a_tenant_its_own_rows_alone(
    gatekeeper: Gatekeeper, superuser: asyncpg.Connection, service: asyncpg.Connection
):
    mine, theirs = [await fill(gatekeeper, superuser) for _ in range(2)]
    tables = await superuser.fetch(TABLES)

    assert len(tables) == 13
    for table in tables:
        name = table["relname"]
        assert {mine.id, theirs.id} <= await rows(superuser, name)
        assert (table["relrowsecurity"], table["relforcerowsecurity"]) == (True, True), name
        assert await rows(service, name) == set(), name
        assert await rows(service, name, mine.id) == {mine.id}, name


async def test_no_row_can_be_written_for_another_tenant(
    gatekeeper: Gatekeeper, superuser: asyncpg.Connection, service: asyncpg.Connection
):
    mine, theirs = [await gatekeeper.create_tenant() for _ in range(2)]
    set_tenant = "SELECT set_config('turnpike.tenant', $1, true)"

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
        async with service.transaction():
            await service.execute(set_tenant, mine.id)
            await service.execute(
                "INSERT INTO principals (tenant, name, role) VALUES ($1, 'me', 'owner')", theirs.id
            )
    async with service.transaction():
        await service.execute(set_tenant, mine.id)
        updated = await service.execute(
            "UPDATE principals SET role = 'viewer' WHERE tenant = $1", theirs.id
        )
    assert updated == "UPDATE 0"


@pytest.mark.parametrize("column", ["platform = true", "slots = 1000", "name = 'first'"])
async def test_a_tenant_cannot_raise_itself(
    tenant: Tenant, service: asyncpg.Connection, column: str
):
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with service.transaction():
            await service.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant.id)
            await service.execute(f"UPDATE tenants SET {column}")


@pytest.mark.parametrize("role", ["gatekeeper", "gatekeeper_system"])
async def test_the_services_roles_own_nothing_and_bypass_nothing(
    urls: MigrationUrls, superuser: asyncpg.Connection, role: str
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
        "SELECT pg_has_role($1, 'gatekeeper_owner', 'member')", role
    )


async def test_a_tenant_cannot_give_itself_a_plan(
    tenant: Tenant, service: asyncpg.Connection, superuser: asyncpg.Connection
):
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        await service.execute("INSERT INTO plans (name, tier) VALUES ('mine', 'enterprise')")


@pytest.mark.parametrize(
    "change", ["UPDATE ledger SET cost_micro_usd = 0", "DELETE FROM ledger", "TRUNCATE ledger"]
)
async def test_nobody_changes_the_ledger(
    gatekeeper: Gatekeeper,
    superuser: asyncpg.Connection,
    service: asyncpg.Connection,
    change: str,
):
    tenant = await fill(gatekeeper, superuser)

    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with service.transaction():
            await service.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant.id)
            await service.execute(change)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="append-only"):
        await superuser.execute(change)
