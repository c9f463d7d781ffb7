"""What agent-runtime may rely on while its turns run, whatever befalls Redis."""

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta
from uuid import uuid4

import asyncpg
import grpc
import pytest
from redis.asyncio import Redis

from tests.gatekeeper.serving import Gatekeeper, Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import RevokeApiKeyRequest
from turnpike.database.engine import open_pool
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper import opening
from turnpike.gatekeeper.admission_messages import admitted_segment
from turnpike.gatekeeper.holds import Holds
from turnpike.gatekeeper.model import Segment
from turnpike.gatekeeper.standing import Standings
from turnpike.gatekeeper.terms import FREE, Ask, Standing


async def pass_time(superuser: asyncpg.Connection, tenant: Tenant, seconds: int) -> None:
    """Makes it so much longer ago that the tenant's turns began to run."""
    await superuser.execute(
        "UPDATE tenants SET active_from = active_from - make_interval(secs => $2),"
        " active_until = active_until - make_interval(secs => $2) WHERE tenant = $1",
        tenant.id,
        seconds,
    )


async def decided(tenant: Tenant) -> str:
    """Asks for an admission; returns what was decided."""
    try:
        await tenant.admit()
    except grpc.aio.AioRpcError as error:
        return error.code().name
    return "OK"


async def test_turns_of_many_tenants_are_renewed_in_one_call(gatekeeper: Gatekeeper, redis: Redis):
    tenants = [await gatekeeper.create_tenant() for _ in range(3)]
    turns = [tenant.turn() for tenant in tenants for _ in range(2)]
    for turn, tenant in zip(turns, [tenant for tenant in tenants for _ in range(2)], strict=True):
        await tenant.admit(turn)
    ages = {
        turn.turn: await redis.zincrby(f"gatekeeper:{{{turn.tenant}}}:slots", -5000, turn.turn)
        for turn in turns
    }

    assert await gatekeeper.renew(*turns) == {}

    for turn in turns:
        lapse = await redis.zscore(f"gatekeeper:{{{turn.tenant}}}:slots", turn.turn)
        assert lapse is not None
        assert lapse > (ages[turn.turn] or 0) + 4000


async def test_a_thousand_turns_are_renewed_in_one_call(tenant: Tenant, redis: Redis):
    turns = [tenant.turn() for _ in range(1000)]

    assert await tenant.gatekeeper.renew(*turns) == {}
    assert await redis.zcard(tenant.slots_key) == 1000


async def test_no_turn_is_nothing_to_do(gatekeeper: Gatekeeper):
    assert await gatekeeper.renew() == {}


async def test_g7_a_ban_reaches_running_turns_with_the_next_heartbeat(tenant: Tenant):
    member = (await tenant.create_key()).api_key
    owner = (await tenant.create_key()).api_key.principal.id
    mine = tenant.turn(principal=member.principal.id, key=member.id)
    theirs, others = tenant.turn(agent_owner=owner), tenant.turn()
    assert await tenant.gatekeeper.renew(mine, theirs, others) == {}

    await tenant.ban(member.principal.id)
    await tenant.ban(owner)

    revoked = await tenant.gatekeeper.renew(mine, theirs, others)
    assert revoked == {mine.turn: "BANNED", theirs.turn: "BANNED"}


async def test_a_revoked_key_reaches_running_turns_with_the_next_heartbeat(tenant: Tenant):
    member = (await tenant.create_key()).api_key
    mine = tenant.turn(principal=member.principal.id, key=member.id)
    others, unknown = tenant.turn(), tenant.turn(key=str(uuid4()))
    request = RevokeApiKeyRequest(id=member.id)
    await tenant.gatekeeper.tenancy.RevokeApiKey(request, metadata=tenant.as_admin)

    revoked = await tenant.gatekeeper.renew(mine, others, unknown)

    assert revoked == {mine.turn: "KEY_REVOKED", unknown.turn: "KEY_REVOKED"}


async def test_a_ban_in_one_tenant_means_nothing_in_another(gatekeeper: Gatekeeper, tenant: Tenant):
    other = await gatekeeper.create_tenant()
    await tenant.ban(tenant.principal)

    assert await gatekeeper.renew(other.turn(principal=tenant.principal)) == {}


async def test_after_redis_lost_its_state_running_turns_come_first(
    gatekeeper: Gatekeeper, redis: Redis, superuser: asyncpg.Connection
):
    tenant = await gatekeeper.create_tenant(slots=2)
    running = tenant.turn()
    await tenant.admit(running)
    await pass_time(superuser, tenant, 5)
    await redis.flushall()

    refused = await refusal(tenant.admit())
    await gatekeeper.renew(running)

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(seconds=1)
    await until(lambda: is_decided(tenant, "OK"))
    assert await decided(tenant) == "RESOURCE_EXHAUSTED"


async def test_a_heartbeat_finds_out_too_that_redis_lost_its_state(
    gatekeeper: Gatekeeper, redis: Redis
):
    tenant = await gatekeeper.create_tenant(slots=3)
    turns = [tenant.turn(), tenant.turn()]
    for turn in turns:
        await tenant.admit(turn)
    await redis.flushall()

    await gatekeeper.renew(turns[0])

    assert await decided(tenant) == "UNAVAILABLE"
    await gatekeeper.renew(turns[1])
    await until(lambda: is_decided(tenant, "OK"))
    assert await decided(tenant) == "RESOURCE_EXHAUSTED"


async def test_a_turn_that_registered_again_may_be_admitted_again_at_once(
    tenant: Tenant, redis: Redis
):
    running = tenant.turn()
    await tenant.admit(running)
    await redis.flushall()
    await tenant.gatekeeper.renew(running)

    await tenant.admit(running)


async def test_a_tenant_that_ran_nothing_lost_nothing(
    tenant: Tenant, redis: Redis, superuser: asyncpg.Connection
):
    await tenant.admit()
    await pass_time(superuser, tenant, 30)
    await redis.flushall()

    assert await decided(tenant) == "OK"


async def test_the_first_turns_of_a_tenant_wait_for_nothing(gatekeeper: Gatekeeper):
    tenants = [await gatekeeper.create_tenant() for _ in range(5)]

    outcomes = await asyncio.gather(*(decided(tenant) for tenant in tenants for _ in range(10)))

    assert outcomes == ["OK"] * 50


@pytest.fixture
async def overtaken(
    tenant: Tenant, urls: MigrationUrls
) -> AsyncGenerator[tuple[Segment, Standing]]:
    """An idle tenant's first admission, that has been to Postgres and not to Redis yet."""
    turn = tenant.turn()
    segment = admitted_segment(turn)
    pool = await open_pool(urls.service)
    standing = await Standings(pool, default=FREE, billing=True).read(segment)
    assert standing
    yield segment, standing
    await pool.close()


async def scripts_run(redis: Redis) -> int:
    stats = await redis.info("commandstats")
    return sum(stats[name]["calls"] for name in stats if name.startswith("cmdstat_eval"))


async def test_an_admission_that_overtakes_the_first_one_waits_for_it(
    tenant: Tenant,
    redis: Redis,
    overtaken: tuple[Segment, Standing],
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(opening, "OPENING_TIME", timedelta(minutes=1))
    segment, standing = overtaken
    before = await scripts_run(redis)
    second = asyncio.create_task(decided(tenant))

    async def is_waiting() -> bool:
        return await scripts_run(redis) >= before + 3

    await until(is_waiting)
    assert not second.done()
    await Holds(redis).admit(segment, standing, Ask(price=FREE, estimate=None), last=False)

    assert await second == "OK"
    assert await redis.zcard(tenant.slots_key) == 2


async def test_a_first_admission_that_never_comes_delays_the_others_and_no_more(
    tenant: Tenant, redis: Redis, overtaken: tuple[Segment, Standing]
):
    """Its gatekeeper died: that nobody holds a slot is known after a heartbeat."""
    refused = await refusal(tenant.admit())

    assert refused.reason == "UNAVAILABLE"
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(seconds=1)
    await until(lambda: is_decided(tenant, "OK"))


async def test_of_an_idle_tenants_first_admissions_one_opens_it(
    tenant: Tenant, urls: MigrationUrls
):
    pool = await open_pool(urls.service)
    standings = Standings(pool, default=FREE, billing=True)
    read = [standings.read(admitted_segment(tenant.turn())) for _ in range(20)]

    found = [standing for standing in await asyncio.gather(*read) if standing]

    await pool.close()
    assert sum(standing.opens for standing in found) == 1


async def test_a_heartbeat_under_way_does_not_take_a_released_slot_again(
    gatekeeper: Gatekeeper, redis: Redis
):
    tenant = await gatekeeper.create_tenant(slots=1)
    turn = tenant.turn()
    await tenant.admit(turn)
    await tenant.release(turn)

    await gatekeeper.renew(turn)

    assert await redis.zcard(tenant.slots_key) == 0


async def test_a_resumed_turn_is_renewed_though_it_was_released_a_moment_ago(
    gatekeeper: Gatekeeper, redis: Redis
):
    tenant = await gatekeeper.create_tenant(slots=1)
    turn = tenant.turn()
    await tenant.admit(turn)
    await tenant.release(turn)
    await tenant.admit(tenant.turn(turn=turn.turn, segment=2))
    await redis.delete(tenant.slots_key)

    await gatekeeper.renew(turn)

    assert await redis.zcard(tenant.slots_key) == 1


async def test_scripts_that_redis_forgot_are_sent_again(tenant: Tenant, redis: Redis):
    turn = tenant.turn()
    for call in (
        lambda: tenant.admit(turn),
        lambda: tenant.gatekeeper.renew(turn),
        lambda: tenant.release(turn),
    ):
        await redis.script_flush()
        await call()


async def test_every_key_expires_and_a_tenants_share_a_hash_slot(tenant: Tenant, redis: Redis):
    turn = tenant.turn()
    await tenant.admit(turn)
    await tenant.admit()
    await tenant.release(turn)

    keys = [key if isinstance(key, str) else key.decode() for key in await redis.keys()]

    assert {key.partition("}")[0] for key in keys} == {f"gatekeeper:{{{tenant.id}"}
    assert len(keys) == 6
    assert all([await redis.pttl(key) > 0 for key in keys])


async def is_decided(tenant: Tenant, decision: str) -> bool:
    return await decided(tenant) == decision


@pytest.mark.parametrize("by", ["admit", "renew"])
async def test_postgres_knows_ahead_until_when_slots_may_be_held(
    tenant: Tenant, superuser: asyncpg.Connection, by: str
):
    turn = tenant.turn()
    await tenant.admit(turn)
    await pass_time(superuser, tenant, 20)

    await (tenant.admit(turn) if by == "admit" else tenant.gatekeeper.renew(turn))

    ahead = await superuser.fetchval(
        "SELECT active_until - now() FROM tenants WHERE tenant = $1", tenant.id
    )
    assert ahead > timedelta(seconds=12)
