"""What callers see of a Postgres or a Redis that goes away, and comes back."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from tests.conftest import FLEETING, Keys, Schemas
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import WatchRevocationsRequest
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import ListApiKeysRequest
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis


@pytest.fixture
async def database(tmp_path: Path) -> AsyncGenerator[LocalPostgres]:
    """A Postgres to stop."""
    with LocalPostgres(tmp_path / "postgres", settings=FLEETING) as server:
        yield server


@pytest.fixture
async def frail(
    database: LocalPostgres, cache: LocalRedis, keys: Keys
) -> AsyncGenerator[Gatekeeper]:
    """A gatekeeper that has them to itself."""
    urls = await Schemas(database.url).of("gatekeeper")
    async with serving(settings_for(urls, cache.url, keys), keys) as gatekeeper:
        yield gatekeeper


async def is_admitted(tenant: Tenant) -> bool:
    try:
        await tenant.admit()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_while_postgres_is_away_nothing_is_decided_and_nobody_reassured(
    frail: Gatekeeper, database: LocalPostgres
):
    tenant = await frail.create_tenant()
    running = tenant.turn()
    await tenant.admit(running)
    stream = frail.stub.WatchRevocations(
        WatchRevocationsRequest(), metadata=frail.as_service("gateway")
    )
    await stream.read()

    await asyncio.to_thread(database.stop)

    for call in (
        tenant.admit(),
        frail.renew(running),
        frail.authenticate(tenant.made.secret),
        frail.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=tenant.as_admin),
    ):
        refused = await refusal(call)
        assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
        assert refused.retry_after == timedelta(seconds=1)
    with pytest.raises(grpc.aio.AioRpcError) as ended:
        async with asyncio.timeout(15):
            while True:
                await stream.read()
    assert ended.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_when_postgres_is_back_so_is_gatekeeper(frail: Gatekeeper, database: LocalPostgres):
    tenant = await frail.create_tenant()
    await tenant.admit()

    await asyncio.to_thread(database.stop)
    await refusal(tenant.admit())
    await asyncio.to_thread(database.start)

    await until(lambda: is_admitted(tenant), seconds=15)
    assert await frail.renew(tenant.turn()) == {}
    await frail.authenticate(tenant.made.secret)
    await frail.tenancy.ListApiKeys(ListApiKeysRequest(), metadata=tenant.as_admin)


async def test_while_redis_is_away_a_share_of_the_slots_is_given(
    frail: Gatekeeper, cache: LocalRedis
):
    tenant = await frail.create_tenant(slots=2)
    running = tenant.turn()
    await tenant.admit(running)

    await asyncio.to_thread(cache.stop)

    for call in (frail.renew(running), tenant.release(running)):
        assert (await refusal(call)).reason == "UNAVAILABLE"
    assert (await refusal(frail.renew(running))).reason == "UNAVAILABLE"
    await tenant.admit()  # beside the one whose heart beat here
    assert (await refusal(tenant.admit())).reason == "CONCURRENCY_LIMITED"


async def test_when_redis_is_back_so_are_the_slots(frail: Gatekeeper, cache: LocalRedis):
    tenant = await frail.create_tenant(slots=1)
    running = tenant.turn()
    await tenant.admit(running)

    await asyncio.to_thread(cache.stop)
    await asyncio.to_thread(cache.start)
    assert await frail.renew(running) == {}

    assert (await refusal(tenant.admit())).reason == "CONCURRENCY_LIMITED"
    await tenant.release(running)
    await until(lambda: is_admitted(tenant))
