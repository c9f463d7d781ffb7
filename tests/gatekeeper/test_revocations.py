"""What services may rely on when they watch revocations."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import grpc
import pytest

from tests.conftest import Keys
from tests.gatekeeper.serving import Gatekeeper, Tenant, serving, settings_for
from tests.waiting import until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import RevokeApiKeyRequest
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper import revocations
from turnpike.rpc.identity import bearer

INSERT = "INSERT INTO revocations (tenant, principal) VALUES ($1, $2)"
FIRST = "SELECT min(id) FROM revocations WHERE tenant = $1"


@asynccontextmanager
async def watching(
    gatekeeper: Gatekeeper, after: int = 0, service: str = "gateway"
) -> AsyncGenerator[Any]:
    """Watches from a position on; the stream ends with the block."""
    request = WatchRevocationsRequest(after=after)
    metadata = gatekeeper.as_service(service)
    stream = gatekeeper.stub.WatchRevocations(request, metadata=metadata)
    try:
        yield stream
    finally:
        stream.cancel()


async def next_of(stream: Any) -> WatchRevocationsResponse:
    async with asyncio.timeout(15):
        response = await stream.read()
    assert response is not grpc.aio.EOF
    return response


async def keys_of(stream: Any, number: int) -> list[str]:
    """Returns the keys of the next revocations, as many as are asked for."""
    found: list[str] = []
    while len(found) < number:
        found += [revocation.key for revocation in (await next_of(stream)).revocations]
    return found


async def revoke_new_key(tenant: Tenant) -> str:
    key = (await tenant.create_key()).api_key.id
    request = RevokeApiKeyRequest(id=key)
    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)
    return key


@pytest.fixture
async def position(gatekeeper: Gatekeeper) -> int:
    """The newest position of now."""
    async with watching(gatekeeper) as stream:
        return (await next_of(stream)).last_id


@pytest.fixture
async def second(urls: MigrationUrls, valkey: LocalRedis, keys: Keys) -> AsyncGenerator[Gatekeeper]:
    """Another replica."""
    async with serving(settings_for(urls, valkey.url, keys), keys) as gatekeeper:
        yield gatekeeper


async def test_every_replica_tells(
    gatekeeper: Gatekeeper, second: Gatekeeper, tenant: Tenant, position: int
):
    async with watching(gatekeeper, position) as one, watching(second, position) as other:
        await next_of(one)
        await next_of(other)
        key = await revoke_new_key(tenant)

        assert await keys_of(one, 1) == [key]
        assert await keys_of(other, 1) == [key]


async def test_it_says_whose_the_key_was_and_when(tenant: Tenant, position: int):
    made = await tenant.create_key()
    request = RevokeApiKeyRequest(id=made.api_key.id)
    response = await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    async with watching(tenant.gatekeeper, position) as stream:
        batch = await next_of(stream)

    (revocation,) = batch.revocations
    assert (revocation.tenant, revocation.principal) == (tenant.id, made.api_key.principal.id)
    assert revocation.id == batch.last_id
    assert revocation.revoke_time.ToDatetime() >= response.api_key.revoke_time.ToDatetime()


async def test_silence_is_broken_again_and_again(gatekeeper: Gatekeeper, position: int):
    async with watching(gatekeeper, position) as stream:
        for _ in range(4):
            batch = await next_of(stream)

            assert (list(batch.revocations), batch.last_id) == ([], position)


async def test_a_cursor_goes_on_where_it_was(tenant: Tenant, position: int):
    first = await revoke_new_key(tenant)
    async with watching(tenant.gatekeeper, position) as stream:
        cursor = (await next_of(stream)).last_id
    others = [await revoke_new_key(tenant) for _ in range(3)]

    async with watching(tenant.gatekeeper, cursor) as stream:
        assert await keys_of(stream, 3) == others
    async with watching(tenant.gatekeeper, position) as stream:
        assert await keys_of(stream, 4) == [first, *others]


async def test_without_a_cursor_it_begins_with_the_last_65_minutes(
    tenant: Tenant, superuser: asyncpg.Connection
):
    await superuser.execute("DELETE FROM revocations")
    old, young = [await revoke_new_key(tenant) for _ in range(2)]
    age = "UPDATE revocations SET revoke_time = now() - $2::interval WHERE key = $1"
    await superuser.execute(age, old, timedelta(minutes=66))
    await superuser.execute(age, young, timedelta(minutes=64))

    async with watching(tenant.gatekeeper) as stream:
        assert await keys_of(stream, 1) == [young]


async def test_what_commits_late_is_not_passed_over(
    tenant: Tenant,
    superuser: asyncpg.Connection,
    position: int,
    monkeypatch: pytest.MonkeyPatch,
):
    """A revocation that began first and commits last is told of first, and both are."""
    # Whoever waits for a lock does so for two seconds at most.
    monkeypatch.setattr(revocations, "_SILENCE_SECONDS", 0.0)
    async with watching(tenant.gatekeeper, position) as stream:
        await next_of(stream)
        transaction = superuser.transaction()
        await transaction.start()
        await superuser.execute(INSERT, tenant.id, tenant.principal)
        # As its commit begins; the commit's end is what comes late.
        await superuser.execute("SET CONSTRAINTS order_revocation IMMEDIATE")
        first = await superuser.fetchval(FIRST, tenant.id)
        other = asyncio.create_task(revoke_new_key(tenant))
        await until(lambda: waits_or_is_done(superuser, other))
        # Whatever commits now, the stream has read it before the first one is there.
        for _ in range(2):
            assert list((await next_of(stream)).revocations) == []
        await transaction.commit()

        assert await keys_of(stream, 2) == ["", await other]
    async with watching(tenant.gatekeeper, position) as stream:
        ids = [revocation.id for revocation in (await next_of(stream)).revocations]
        assert ids[0] == first
        assert ids == sorted(ids)


async def waits_or_is_done(superuser: asyncpg.Connection, task: "asyncio.Task[str]") -> bool:
    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    return task.done() or await superuser.fetchval(waiting) > 0


async def test_a_hundred_at_once_are_all_told_in_order(tenant: Tenant, position: int):
    keys = [(await tenant.create_key()).api_key.id for _ in range(30)]
    async with watching(tenant.gatekeeper, position) as stream:
        await next_of(stream)
        revoked = asyncio.gather(
            *(
                tenant.gatekeeper.tenancy.RevokeApiKey(
                    RevokeApiKeyRequest(id=key), metadata=tenant.as_admin
                )
                for key in keys
            )
        )
        ids: list[int] = []
        told: set[str] = set()
        while len(told) < len(keys):
            batch = await next_of(stream)
            ids += [revocation.id for revocation in batch.revocations]
            told |= {revocation.key for revocation in batch.revocations}
        await revoked

    assert told == set(keys)
    assert ids == sorted(ids)


async def test_revoking_again_is_told_once(tenant: Tenant, position: int):
    key = await revoke_new_key(tenant)
    request = RevokeApiKeyRequest(id=key)
    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    async with watching(tenant.gatekeeper, position) as stream:
        assert [each.key for each in (await next_of(stream)).revocations] == [key]


async def test_people_may_not_watch(tenant: Tenant):
    stream = tenant.gatekeeper.stub.WatchRevocations(
        WatchRevocationsRequest(), metadata=bearer(tenant.made.secret)
    )

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stream.read()

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
