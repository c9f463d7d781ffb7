"""Secrets are bound to their connector, and sealed anew when a key is rotated."""

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.doubles.oauth_server import AuthorizationServer
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Tenant
from tests.tool_registry.signing import guard, somebody
from tests.waiting import until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.engine import open_engine
from turnpike.database.envelope import Envelope
from turnpike.database.migration import MigrationUrls
from turnpike.tool_registry.reseal import COLUMNS, reseal

OLD, NEW = bytes([7] * 32), bytes([8] * 32)
OK = tool_pb2.CONNECTOR_STATE_OK


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    """The system role's engine."""
    async with open_engine(urls.system, pool_size=2) as engine:
        yield engine


async def test_a_key_is_rotated_under_everything_that_is_sealed(
    tenant: Tenant,
    server: ScriptedServer,
    place: str,
    issuer: AuthorizationServer,
    superuser: asyncpg.Connection,
    system: AsyncEngine,
):
    guard(server, issuer, place)
    await tenant.connect(url=place, headers={"x-team": "hush"})
    ada = somebody(tenant)
    await ada.sign_in(issuer)
    await ada.start()
    # Whoever still read its tools would find what it has no key for, and try again much later.
    await until(lambda: _is(tenant, OK))

    done = await reseal(system, Envelope({"k2": NEW, "k1": OLD}))
    again = await reseal(system, Envelope({"k2": NEW, "k1": OLD}))
    rotated = await _keys(superuser, tenant)
    back = await reseal(system, Envelope({"k1": OLD, "k2": NEW}))

    # Headers and variables of the connector, header and grant, sign-in and client.
    assert done.sealed >= 6
    assert again.sealed == 0
    assert rotated == {"k2"}
    assert back.sealed >= 6
    refresh = pb.RefreshConnectorRequest(name="effects")
    stub = tenant.registry.connectors
    refreshed = await stub.RefreshConnector(refresh, metadata=ada.metadata)
    assert refreshed.connector.state == OK


async def test_what_was_bound_to_its_tenant_alone_is_bound_to_its_connector(
    tenant: Tenant, place: str, superuser: asyncpg.Connection, system: AsyncEngine
):
    await tenant.connect(url=place)
    await tenant.connect("other", url=place, headers={"x-team": "hush"})
    older = Envelope({"k1": OLD}).seal(tenant.id, json.dumps({"x-team": "old"}))
    await _set(superuser, tenant, "effects", older)
    await until(lambda: _is(tenant, OK))

    done = await reseal(system, Envelope({"k1": OLD}))

    stored = await _get(superuser, tenant, "effects")
    opened = Envelope({"k1": OLD}).open(f"{tenant.id}/effects", stored)
    assert (done.sealed >= 1, json.loads(opened)) == (True, {"x-team": "old"})
    # What is moved to another connector opens there no more.
    await _set(superuser, tenant, "other", stored)
    left = await reseal(system, Envelope({"k1": OLD}))
    assert left.broken >= 1
    await superuser.execute("DELETE FROM connectors WHERE tenant = $1", UUID(tenant.id))


async def _keys(superuser: asyncpg.Connection, tenant: Tenant) -> set[str]:
    texts: list[str] = []
    for sealed in COLUMNS:
        rows = await superuser.fetch(
            f"SELECT {sealed.column} AS sealed FROM {sealed.table}"
            f" WHERE tenant = $1 AND {sealed.column} <> ''",
            UUID(tenant.id),
        )
        texts += [row["sealed"] for row in rows]
    return {each.split(".")[1] for each in texts}


async def _set(superuser: asyncpg.Connection, tenant: Tenant, name: str, headers: str) -> None:
    await superuser.execute(
        "UPDATE connectors SET headers = $3 WHERE tenant = $1 AND name = $2",
        *(UUID(tenant.id), name, headers),
    )


async def _get(superuser: asyncpg.Connection, tenant: Tenant, name: str) -> Any:
    return await superuser.fetchval(
        "SELECT headers FROM connectors WHERE tenant = $1 AND name = $2", UUID(tenant.id), name
    )


async def _is(tenant: Tenant, state: tool_pb2.ConnectorState) -> bool:
    return (await tenant.connector()).state == state
