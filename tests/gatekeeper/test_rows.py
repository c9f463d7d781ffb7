"""What gatekeeper's role may not write, whatever statement forgets to narrow.

That every table hides a tenant's rows from others is shown for all services at once,
in `tests/database/test_rows.py`.
"""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.gatekeeper.serving import Gatekeeper, Tenant
from turnpike.database.migration import MigrationUrls


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the service role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


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
