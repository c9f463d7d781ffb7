"""What an operator may rely on when gatekeeper starts."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

import asyncpg
import grpc
import pytest

from tests.conftest import Keys, Schemas
from tests.gatekeeper.serving import FIRST_KEY, serving, settings_for
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1.principal_pb2 import ROLE_ADMIN
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import (
    ListApiKeysRequest,
    ListTenantsRequest,
    RevokeApiKeyRequest,
)
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.identity import bearer
from turnpike.rpc.process import StartError

OTHER_KEY = "tpk_another-first-key-of-the-tests"


@pytest.fixture
async def empty(postgres: LocalPostgres) -> AsyncGenerator[Schemas]:
    """A database of its own, not migrated."""
    connection = await asyncpg.connect(postgres.url)
    await connection.execute("CREATE DATABASE bootstrap")
    yield Schemas(postgres.url_of("bootstrap"))
    await connection.execute("DROP DATABASE bootstrap WITH (FORCE)")
    await connection.close()


@pytest.fixture
async def fresh(empty: Schemas) -> MigrationUrls:
    """A database of its own, with gatekeeper's empty schema."""
    return await empty.of("gatekeeper")


async def test_two_replicas_that_start_at_once_make_one_tenant_and_one_key(
    fresh: MigrationUrls, valkey: LocalRedis, keys: Keys
):
    settings = settings_for(fresh, valkey.url, keys)
    async with AsyncExitStack() as replicas:
        started = await asyncio.gather(
            *(replicas.enter_async_context(serving(settings, keys)) for _ in range(3))
        )
        tenancy = started[0].tenancy
        tenants = await tenancy.ListTenants(ListTenantsRequest(), metadata=bearer(FIRST_KEY))
        listed = await tenancy.ListApiKeys(ListApiKeysRequest(), metadata=bearer(FIRST_KEY))

        (tenant,), (key,) = tenants.tenants, listed.api_keys
        assert (tenant.name, tenant.slots) == ("first", 64)
        assert (key.principal.name, key.principal.role) == ("admin", ROLE_ADMIN)


async def test_another_key_opens_too_and_a_revoked_one_stays_revoked(
    fresh: MigrationUrls, valkey: LocalRedis, keys: Keys
):
    first = settings_for(fresh, valkey.url, keys)
    other = settings_for(fresh, valkey.url, keys, bootstrap_key=OTHER_KEY, bootstrap_slots=7)
    async with serving(first, keys) as one, serving(other, keys) as two:
        mine = await one.authenticate(FIRST_KEY)
        theirs = await two.authenticate(OTHER_KEY)
        assert mine.principal == theirs.principal

        listed = await two.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=bearer(OTHER_KEY))
        oldest = listed.api_keys[-1].id
        await two.tenancy.RevokeApiKey(RevokeApiKeyRequest(id=oldest), metadata=bearer(OTHER_KEY))
    async with serving(first, keys) as again:
        refused = await refusal(again.authenticate(FIRST_KEY))
        assert refused.code is grpc.StatusCode.UNAUTHENTICATED
        await again.authenticate(OTHER_KEY)


async def test_without_migrations_it_says_what_to_do(
    empty: Schemas, fresh: MigrationUrls, valkey: LocalRedis, keys: Keys
):
    connection = await asyncpg.connect(fresh.migration)
    await connection.execute("DROP SCHEMA gatekeeper CASCADE")
    await connection.close()

    with pytest.raises(StartError, match="migrate first"):
        async with serving(settings_for(fresh, valkey.url, keys), keys):
            pass


async def test_without_postgres_it_says_so(fresh: MigrationUrls, valkey: LocalRedis, keys: Keys):
    nowhere = fresh.service.rpartition("@")[0] + "@127.0.0.1:1/nowhere"

    with pytest.raises(StartError, match="postgres"):
        async with serving(
            settings_for(fresh, valkey.url, keys, system_database_url=nowhere), keys
        ):
            pass
