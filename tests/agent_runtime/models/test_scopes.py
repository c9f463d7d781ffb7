"""Whose models are whose: rows L1 and L2, and what a turn keeps of a configuration."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from uuid import UUID

import pytest
from grpc import StatusCode

from tests.agent_runtime.models.configuring import (
    PERSON,
    PLATFORM,
    TENANT,
    change,
    create,
    delete,
    get,
    listed,
    model,
    pool,
    probes,
)
from tests.agent_runtime.serving import Runtime, Tenant, serving
from tests.conftest import Keys
from tests.doubles.model_server import ModelServer
from tests.gatekeeper import serving as gatekeepers
from tests.waiting import refusal
from turnpike.agent_runtime.models.choosing import ranked
from turnpike.agent_runtime.settings import Settings

NewTenant = Callable[[], Awaitable[Tenant]]


@pytest.fixture
async def operator(
    settings: Settings, keys: Keys, gatekeeper: gatekeepers.Gatekeeper
) -> AsyncGenerator[Tenant]:
    """The tenant that operates the platform, on a replica that knows it."""
    made = await gatekeeper.create_tenant()
    changed = {"platform_tenant": UUID(made.id), "replica_name": f"operator-{made.id}"}
    async with serving(settings.model_copy(update=changed), keys) as runtime:
        yield Tenant(runtime, made)


@pytest.fixture
def member(tenant: Tenant) -> tuple[tuple[str, str], ...]:
    """A member of the tenant who is no admin."""
    return tenant.somebody()


async def test_l1_a_model_of_each_scope_round_trips_on_every_replica(
    operator: Tenant, tenant: Tenant, member: tuple[tuple[str, str], ...]
):
    await create(operator, model("everybody-s", model="p", scope=PLATFORM))
    await create(tenant, model("ours", model="t", scope=TENANT))
    await create(tenant, model("mine", model="o", scope=PERSON), member)
    there = tenant.on(operator.runtime)
    try:
        for replica in (tenant, there):
            found = [await get(replica, name, member) for name in ("everybody-s", "ours", "mine")]
            assert [each.scope for each in found] == [PLATFORM, TENANT, PERSON]
            assert [each.model for each in found] == ["p", "t", "o"]
            assert (await refusal(get(replica, "nobody-s"))).code is StatusCode.NOT_FOUND
            assert (await refusal(get(replica, "mine"))).code is StatusCode.NOT_FOUND
    finally:
        await delete(operator, "everybody-s", scope=PLATFORM)


async def test_the_nearest_of_a_name_is_meant_and_all_are_listed(
    operator: Tenant, tenant: Tenant, member: tuple[tuple[str, str], ...]
):
    await create(operator, model("same", model="p", scope=PLATFORM))
    try:
        assert (await get(tenant, "same", member)).model == "p"
        await create(tenant, model("same", model="t"))
        assert (await get(tenant, "same", member)).model == "t"
        await create(tenant, model("same", model="o", scope=PERSON), member)
        assert (await get(tenant, "same", member)).model == "o"
        assert (await get(tenant, "same", member, PLATFORM)).model == "p"
        seen = await listed(tenant, member, size=1)
        assert [each.model for each in seen if each.name == "same"] == ["o", "t", "p"]
    finally:
        await delete(operator, "same", scope=PLATFORM)


@pytest.mark.parametrize("scope", [PLATFORM, TENANT], ids=["platform", "tenant"])
async def test_a_member_changes_only_their_own(
    tenant: Tenant, member: tuple[tuple[str, str], ...], scope: int
):
    refused = await refusal(create(tenant, model(scope=scope), member))
    assert (refused.code, refused.reason) == (StatusCode.PERMISSION_DENIED, "FORBIDDEN")


async def test_only_the_operator_s_admins_keep_the_platform_s(tenant: Tenant):
    refused = await refusal(create(tenant, model(scope=PLATFORM)))
    assert refused.code is StatusCode.PERMISSION_DENIED


async def test_l2_two_planners_at_once_are_one(tenant: Tenant):
    results = await asyncio.gather(
        *(create(tenant, model(f"planner-{n}", role="planner")) for n in range(10)),
        return_exceptions=True,
    )

    assert sum(not isinstance(each, BaseException) for each in results) == 1
    refused = await refusal(create(tenant, model("another", role="planner")))
    assert (refused.code, refused.reason) == (StatusCode.ALREADY_EXISTS, "CONFLICT")
    await create(tenant, model("a-chat-model"))
    changed = await refusal(change(tenant, model("a-chat-model", role="planner")))
    assert changed.reason == "CONFLICT"


async def test_each_scope_may_have_a_planner(tenant: Tenant, member: tuple[tuple[str, str], ...]):
    await create(tenant, model("planner", role="planner"))
    await create(tenant, model("planner", role="planner", scope=PERSON), member)


async def test_l2_a_planner_is_never_chosen_for_chat(tenant: Tenant):
    await create(tenant, model("planner", role="planner"))
    await create(tenant, model("chat"))

    into = await refusal(create(tenant, pool("pool", "chat", "planner")))
    await create(tenant, pool("pool", "chat"))
    turned = await refusal(change(tenant, model("chat", role="planner")))
    await delete(tenant, "planner")
    turned_alone = await refusal(change(tenant, model("chat", role="planner")))
    named = await refusal(tenant.agent("an-agent", model="planner"))

    assert (into.code, into.fields[0][0]) == (StatusCode.INVALID_ARGUMENT, "model.members")
    assert turned.reason in ("CONFLICT", "IN_USE")
    assert turned_alone.reason == "IN_USE"
    assert named.code is StatusCode.INVALID_ARGUMENT
    weights = {"chat": 3, "other": 1}
    assert {ranked(weights, str(n))[0] for n in range(10_000)} == set(weights)


async def test_a_pool_s_member_is_not_deleted(tenant: Tenant):
    await create(tenant, model("one"))
    await create(tenant, pool("pool", "one"))

    refused = await refusal(delete(tenant, "one"))
    await delete(tenant, "pool")
    await delete(tenant, "one")

    assert (refused.reason, refused.metadata["id"]) == ("IN_USE", "pool")


@pytest.mark.parametrize(
    ("wanted", "field"),
    [
        (pool("pool", "one", "one"), "model.members"),
        (pool("pool", "nobody"), "model.members"),
        (model("pool", provider="pool"), "model.members"),
        (model("one", members=[{"model": "two"}]), "model.members"),
    ],
    ids=["twice", "nobody", "empty", "no pool"],
)
async def test_a_pool_that_could_not_work_is_refused(tenant: Tenant, wanted: object, field: str):
    await create(tenant, model("two"))
    refused = await refusal(create(tenant, wanted))  # pyright: ignore[reportArgumentType]
    assert refused.code is StatusCode.INVALID_ARGUMENT
    assert refused.fields[0][0] == field


async def test_everything_that_is_said_of_a_model_is_kept(tenant: Tenant):
    wanted = model(
        limits={"context_window": 200_000, "max_output": 8_000},
        capabilities=["tools", "vision"],
        options={"region": "eu-west-1", "beta": "a,b"},
        quota_pool="shared",
        prices={"input": 3, "output": 4, "cached": 1, "cache_write": 5},
    )

    made = await create(tenant, wanted)
    same = await change(tenant, wanted)
    other = await change(tenant, model(limits={"max_output": 9}))

    assert made == same
    assert (made.limits, made.prices, dict(made.options)) == (
        wanted.limits,
        wanted.prices,
        dict(wanted.options),
    )
    assert (made.quota_pool, list(made.capabilities)) == ("shared", ["tools", "vision"])
    assert other.version > made.version


async def test_a_probe_says_what_is_wrong(tenant: Tenant, provider: ModelServer, provider_url: str):
    await create(tenant, model("good", base_url=provider_url, model="n=1"))
    await create(tenant, model("busy", base_url=provider_url, model="429=9"))
    await create(tenant, model("cut", base_url=provider_url, model="die=1"))
    await create(tenant, model("gone", base_url="http://127.0.0.1:9/v1"))
    await create(tenant, pool("pool", "good", "busy", "cut", "gone"))

    found = {probe.model: probe for probe in await probes(tenant, "pool")}

    assert {name: probe.reason for name, probe in found.items()} == {
        "good": "",
        "busy": "PROVIDER_RATE_LIMITED",
        "cut": "PROVIDER_UNREACHABLE",
        "gone": "PROVIDER_UNREACHABLE",
    }
    assert found["good"].first_event.ToMilliseconds() >= 0
    assert not found["busy"].HasField("first_event")
    assert (await refusal(probes(tenant, "nobody"))).code is StatusCode.NOT_FOUND
    assert (await refusal(probes(tenant, "good", tenant.somebody()))).reason == "FORBIDDEN"
    assert provider.stats["chat"] == 3


async def test_another_tenant_sees_nothing_of_it(
    tenant: Tenant, new_tenant: NewTenant, runtime: Runtime
):
    await create(tenant, model("ours"))
    other = await new_tenant()
    assert await listed(other) == []
    assert (await refusal(get(other, "ours"))).code is StatusCode.NOT_FOUND


@pytest.mark.parametrize("region", ["evil.example/#", "eu west", "a.b"])
async def test_a_region_becomes_part_of_a_host_and_is_nothing_else(tenant: Tenant, region: str):
    wanted = model(options={"region": region})
    refused = await refusal(create(tenant, wanted))
    assert refused.code is StatusCode.INVALID_ARGUMENT
