"""What agent-runtime may rely on when it asks for a turn to be admitted."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import grpc
import pytest
from redis.asyncio import Redis

from tests.conftest import Keys
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant, serving, settings_for
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AdmitResponse
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import CreateBanRequest, RevokeApiKeyRequest
from turnpike.database.migration import MigrationUrls
from turnpike.rpc.errors import RemoteError
from turnpike.rpc.identity import bearer

NO_REDIS = "redis://127.0.0.1:1/0"


async def revoke(tenant: Tenant, key: str) -> None:
    request = RevokeApiKeyRequest(id=key)
    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)


async def admitted(tenant: Tenant) -> bool:
    try:
        await tenant.admit()
    except grpc.aio.AioRpcError:
        return False
    return True


async def test_of_a_hundred_at_once_as_many_enter_as_there_are_slots(tenant: Tenant, redis: Redis):
    outcomes = await asyncio.gather(*(tenant.admit() for _ in range(100)), return_exceptions=True)

    assert sum(isinstance(outcome, AdmitResponse) for outcome in outcomes) == 64
    assert await redis.zcard(tenant.slots_key) == 64


async def test_a_refusal_says_why_and_when_to_try_again(gatekeeper: Gatekeeper):
    tenant = await gatekeeper.create_tenant(slots=1)
    await tenant.admit()

    refused = await refusal(tenant.admit())

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        "CONCURRENCY_LIMITED",
    )
    assert refused.domain == "gatekeeper.turnpike"
    assert refused.metadata == {"slots": "1", "scope": "tenant"}
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(seconds=1)


async def test_a_refusal_changes_nothing_but_is_recorded(
    gatekeeper: Gatekeeper, redis: Redis, superuser: asyncpg.Connection
):
    tenant = await gatekeeper.create_tenant(slots=1)
    await tenant.admit()
    before = {key: await redis.dump(key) for key in await redis.keys()}
    refused = tenant.turn(attempt=3)

    await refusal(tenant.admit(refused))

    assert {key: await redis.dump(key) for key in await redis.keys()} == before

    async def recorded() -> bool:
        rows = await superuser.fetch("SELECT * FROM refusals WHERE turn = $1", refused.turn)
        return [(row["attempt"], row["segment"], row["reason"]) for row in rows] == [
            (3, 1, "CONCURRENCY_LIMITED")
        ]

    await until(recorded)


async def test_a_retried_admission_takes_one_slot(gatekeeper: Gatekeeper, redis: Redis):
    tenant = await gatekeeper.create_tenant(slots=1)
    turn = tenant.turn()

    responses = [await tenant.admit(turn) for _ in range(3)]

    assert {response.slot_ttl.ToTimedelta() for response in responses} == {timedelta(seconds=10)}
    assert await redis.zcard(tenant.slots_key) == 1


async def test_a_released_slot_is_free_at_once_and_may_be_released_again(gatekeeper: Gatekeeper):
    tenant = await gatekeeper.create_tenant(slots=1)
    turn = tenant.turn()
    await tenant.admit(turn)

    await tenant.release(turn)
    await tenant.release(turn)

    assert await admitted(tenant)


async def test_releasing_a_slot_twice_frees_no_other(gatekeeper: Gatekeeper):
    tenant = await gatekeeper.create_tenant(slots=1)
    turn = tenant.turn()
    await tenant.admit(turn)
    await tenant.release(turn)
    await tenant.admit()

    await tenant.release(turn)

    assert not await admitted(tenant)


async def test_paused_turns_that_resume_at_once_keep_to_the_limit(gatekeeper: Gatekeeper):
    tenant = await gatekeeper.create_tenant(slots=2)
    paused = [tenant.turn() for _ in range(5)]
    for turn in paused:
        await tenant.admit(turn)
        await tenant.release(turn)

    resumed = [tenant.turn(turn=turn.turn, segment=2) for turn in paused]
    outcomes = await asyncio.gather(*map(tenant.admit, resumed), return_exceptions=True)

    assert sum(isinstance(outcome, AdmitResponse) for outcome in outcomes) == 2


async def test_a_slot_that_nobody_renews_lapses(gatekeeper: Gatekeeper, redis: Redis):
    tenant = await gatekeeper.create_tenant(slots=2)
    silent, renewed = tenant.turn(), tenant.turn()
    await tenant.admit(silent)
    await tenant.admit(renewed)
    for turn in (silent, renewed):  # ten seconds later
        await redis.zincrby(tenant.slots_key, -10_000, turn.turn)
    await gatekeeper.renew(renewed)

    assert await admitted(tenant)
    assert not await admitted(tenant)
    assert await redis.zscore(tenant.slots_key, silent.turn) is None


async def test_g7_who_is_banned_is_not_admitted(tenant: Tenant):
    member = (await tenant.create_key()).api_key
    await tenant.ban(member.principal.id)

    refused = await refusal(tenant.admit(tenant.turn(principal=member.principal.id, key=member.id)))

    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "BANNED")
    assert refused.metadata == {"cause": "principal", "until": ""}
    assert refused.retry_after is None


async def test_nobody_runs_the_agent_of_one_who_is_banned(tenant: Tenant):
    owner = (await tenant.create_key()).api_key.principal.id
    await tenant.ban(owner)

    refused = await refusal(tenant.admit(tenant.turn(agent_owner=owner)))

    assert (refused.reason, refused.metadata["cause"]) == ("BANNED", "agent_owner")


async def test_g7_a_ban_that_has_ended_keeps_nobody_out(tenant: Tenant):
    member = (await tenant.create_key()).api_key.principal.id
    ban = CreateBanRequest(principal=member)
    ban.expire_time.FromJsonString("2026-01-01T00:00:00Z")
    await tenant.gatekeeper.tenancy.CreateBan(ban, metadata=tenant.as_admin)

    await tenant.admit(tenant.turn(principal=member))


async def test_a_ban_says_when_it_ends(tenant: Tenant):
    ban = CreateBanRequest(principal=tenant.principal)
    ban.expire_time.FromJsonString("2999-12-01T00:00:00Z")
    await tenant.gatekeeper.tenancy.CreateBan(ban, metadata=tenant.as_admin)

    refused = await refusal(tenant.admit())

    assert refused.metadata["until"] == "2999-12-01T00:00:00Z"


async def test_a_revoked_key_admits_nothing(tenant: Tenant):
    member = (await tenant.create_key()).api_key
    await revoke(tenant, member.id)

    refused = await refusal(tenant.admit(tenant.turn(principal=member.principal.id, key=member.id)))

    assert (refused.reason, refused.metadata["cause"]) == ("BANNED", "key")


@pytest.mark.parametrize("key", ["no uuid", "6f0ed2a8-3ca7-4564-8c5f-51d3f0f0d595"])
async def test_an_unknown_key_admits_nothing(tenant: Tenant, key: str):
    assert (await refusal(tenant.admit(tenant.turn(key=key)))).reason == "BANNED"


async def test_another_tenants_key_admits_nothing(gatekeeper: Gatekeeper, tenant: Tenant):
    other = await gatekeeper.create_tenant()

    refused = await refusal(tenant.admit(tenant.turn(key=other.made.api_key.id)))

    assert (refused.reason, refused.metadata["cause"]) == ("BANNED", "key")


async def test_a_turn_without_a_key_is_admitted(tenant: Tenant):
    await tenant.admit(tenant.turn(key=""))


async def test_an_unknown_tenant_is_not_found(tenant: Tenant):
    refused = await refusal(tenant.admit(tenant.turn(tenant=str(uuid4()))))

    assert (refused.code, refused.reason) == (grpc.StatusCode.NOT_FOUND, "NOT_FOUND")


async def test_a_ban_is_named_before_a_want_of_slots(gatekeeper: Gatekeeper):
    tenant = await gatekeeper.create_tenant(slots=1)
    member = (await tenant.create_key()).api_key.principal.id
    await tenant.admit()
    await tenant.ban(member)

    assert (await refusal(tenant.admit(tenant.turn(principal=member)))).reason == "BANNED"


async def refused_without_redis(
    tenant: Tenant, urls: MigrationUrls, keys: Keys, principal: str
) -> RemoteError:
    async with serving(settings_for(urls, NO_REDIS, keys), keys) as lame:
        turn = tenant.turn(principal=principal)
        return await refusal(lame.stub.Admit(turn, metadata=lame.as_runtime))


async def test_a_ban_is_named_before_a_redis_that_is_down(
    tenant: Tenant, urls: MigrationUrls, keys: Keys
):
    member = (await tenant.create_key()).api_key.principal.id
    await tenant.ban(member)

    assert (await refused_without_redis(tenant, urls, keys, member)).reason == "BANNED"


async def test_without_redis_nobody_spends_a_budget(
    tenant: Tenant, urls: MigrationUrls, keys: Keys, superuser: asyncpg.Connection
):
    await superuser.execute(
        "INSERT INTO budgets (tenant, scope, period, limit_micro_usd)"
        " VALUES ($1, 'tenant', 'day', 1000000)",
        tenant.id,
    )

    refused = await refused_without_redis(tenant, urls, keys, tenant.principal)

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert refused.retry_after == timedelta(seconds=1)


@pytest.mark.parametrize("service", ["gateway", "tool-registry", "gatekeeper"])
async def test_only_who_asks_models_asks_for_admission(tenant: Tenant, service: str):
    stub, caller = tenant.gatekeeper.stub, tenant.gatekeeper.as_service(service)

    refused = await refusal(stub.Admit(tenant.turn(), metadata=caller))

    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN")


async def test_admins_ask_for_no_admission(tenant: Tenant):
    stub = tenant.gatekeeper.stub

    assert (await refusal(stub.Admit(tenant.turn(), metadata=bearer(FIRST_KEY)))).reason == (
        "FORBIDDEN"
    )
