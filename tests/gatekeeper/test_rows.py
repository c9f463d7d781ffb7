"""What gatekeeper's role may not write of a tenant's own row.

That every table keeps a tenant's rows from others is shown for all services at once,
in `tests/database/test_rows.py`.
"""

from collections.abc import AsyncGenerator

import asyncpg
import pytest

from tests.gatekeeper.serving import Tenant
from turnpike.database.migration import MigrationUrls


@pytest.fixture
async def service(urls: MigrationUrls) -> AsyncGenerator[asyncpg.Connection]:
    """A connection of the service role."""
    connection = await asyncpg.connect(urls.service)
    yield connection
    await connection.close()


@pytest.mark.parametrize("column", ["platform = true", "slots = 1000", "name = 'first'"])
async def test_a_tenant_cannot_raise_itself(
    tenant: Tenant, service: asyncpg.Connection, column: str
):
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied"):
        async with service.transaction():
            await service.execute("SELECT set_config('turnpike.tenant', $1, true)", tenant.id)
            await service.execute(f"UPDATE tenants SET {column}")
