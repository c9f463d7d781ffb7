"""No tenant sees another's rows, whatever statement the registry forgets to narrow."""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.tool_registry.serving import Registry, Tenant
from turnpike.database.migration import MigrationUrls

TABLES = """
SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, r.rolname AS owner,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant') AS owned,
  has_table_privilege('tool_registry', c.oid, 'SELECT, INSERT, UPDATE, DELETE') AS granted
FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner
WHERE c.relnamespace = 'tool_registry'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm')
  AND c.relname <> 'alembic_version'
"""


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the service role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


async def tenants_in(
    connection: asyncpg.Connection, table: str, tenant: str | None = None
) -> set[str]:
    """Returns whose rows a connection sees, in a transaction of a tenant or of none."""
    async with connection.transaction():
        if tenant is not None:
            await connection.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant)
        return {str(row[0]) for row in await connection.fetch(f"SELECT tenant FROM {table}")}


async def test_every_table_is_under_forced_row_level_security(superuser: asyncpg.Connection):
    tables = await superuser.fetch(TABLES)

    assert {table["relname"] for table in tables if table["owned"]} == {
        "calls",
        "connectors",
        "credentials",
        "tool_pins",
        "tool_settings",
        "tools",
        "turn_fences",
    }
    for table in tables:
        assert table["owner"] == "tool_registry_owner"
        if table["owned"]:
            assert table["relrowsecurity"], table["relname"]
            assert table["relforcerowsecurity"], table["relname"]
        else:
            assert not table["granted"], table["relname"]


async def test_every_table_shows_a_tenant_its_own_rows_alone(
    registry: Registry, url: str, service: asyncpg.Connection
):
    one, two = registry.new_tenant(), registry.new_tenant()
    for tenant in (one, two):
        await tenant.connect(url=url)
        await tenant.run(await tenant.ask("effects/echo"))

    for table in ("connectors", "tools", "turn_fences", "calls"):
        assert await tenants_in(service, table) == set()
        assert await tenants_in(service, table, one.id) == {one.id}
        async with service.transaction():
            await service.execute("SELECT set_config('turnpike.tenant', $1, true)", one.id)
            changed = await service.execute(f"DELETE FROM {table} WHERE tenant = $1", two.id)
            assert changed == "DELETE 0"
        assert await tenants_in(service, table, two.id) == {two.id}


async def test_no_row_can_be_written_for_another_tenant(
    tenant: Tenant, registry: Registry, service: asyncpg.Connection
):
    stranger = registry.new_tenant()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with service.transaction():
            await service.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant.id)
            await service.execute(
                "INSERT INTO turn_fences VALUES ($1, gen_random_uuid(), 1)", stranger.id
            )
