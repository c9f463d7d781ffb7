"""What a refusal tells: its reason, all limits that stand in the way, and when to ask again."""

from datetime import timedelta
from typing import cast

import grpc
import pytest

from tests.gatekeeper.money import Bank, Turn, spender
from tests.gatekeeper.serving import Tenant
from turnpike.rpc.errors import QuotaViolation, RemoteError, from_rpc_error


async def told(turn: Turn) -> tuple[RemoteError, int]:
    """Returns what a turn is refused with, and when gRPC's own retries may try again."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await turn.admit()
    trailers = dict(refused.value.trailing_metadata() or ())
    return from_rpc_error(refused.value), int(cast(str, trailers["grpc-retry-pushback-ms"]))


async def test_a_ban_is_never_tried_again(tenant: Tenant):
    await tenant.ban(tenant.principal)

    refused, pushback = await told(spender(tenant))

    assert (refused.code, refused.reason) == (grpc.StatusCode.PERMISSION_DENIED, "BANNED")
    assert (refused.quota, refused.retry_after, pushback) == ((), None, -1)


async def test_a_budget_is_no_rate_and_never_tried_again(tenant: Tenant, bank: Bank):
    """As a precondition that fails, no client's own retries take it up."""
    await bank.budget(tenant, 50, "principal", tenant.principal, "day")

    refused, pushback = await told(spender(tenant))

    assert (refused.code, refused.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "BUDGET_EXHAUSTED",
    )
    [quota] = refused.quota
    assert (quota.subject, quota.metric, quota.period, quota.limit) == (
        f"principal:{tenant.principal}",
        "micro_usd",
        "day",
        50,
    )
    assert refused.retry_after
    assert timedelta(0) < refused.retry_after <= timedelta(days=1)  # when it begins anew
    assert pushback == -1


async def test_the_first_gate_decides_and_all_that_refuse_are_listed(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, slots=1, sync_per_minute=2, sync_burst=1, monthly_limit_micro_usd=150)
    await spender(tenant).admit()

    refused, _ = await told(spender(tenant))

    assert refused.reason == "BUDGET_EXHAUSTED"
    assert [(quota.metric, quota.limit) for quota in refused.quota] == [
        ("micro_usd", 150),
        ("sync", 2),
        ("slots", 1),
    ]


@pytest.mark.parametrize(
    ("limits", "quota"),
    [
        ({"sync_per_minute": 2, "sync_burst": 1}, ("tenant", "sync", "minute", 2)),
        ({"slots": 1}, ("tenant", "slots", "", 1)),
    ],
    ids=["rate", "slots"],
)
async def test_a_limit_that_passes_says_when(
    tenant: Tenant, bank: Bank, limits: dict[str, int], quota: tuple[str, str, str, int]
):
    await bank.limit(tenant, **limits)
    await spender(tenant).admit()

    refused, pushback = await told(spender(tenant))

    assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert [fields_of(each) for each in refused.quota] == [quota]
    assert refused.retry_after
    assert 0 < refused.retry_after.total_seconds() * 1000 <= pushback


def fields_of(quota: QuotaViolation) -> tuple[str, str, str, int]:
    return quota.subject, quota.metric, quota.period, quota.limit
