"""Which plan applies. Row G8: personal and organisation plans are weighed by Postgres."""

import asyncpg
import grpc
import pytest

from tests.gatekeeper.money import Bank, spender
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal

TIERS = ("free", "pro", "team", "enterprise")


@pytest.mark.parametrize(
    ("organisation", "personal", "winner"),
    [
        (None, None, ""),
        (None, "free", "personal"),
        ("free", None, "organisation"),
        ("free", "free", "organisation"),
        ("free", "pro", "personal"),
        ("pro", "free", "organisation"),
        ("pro", "pro", "organisation"),
        ("pro", "team", "personal"),
        ("team", "team", "organisation"),
        ("team", "enterprise", "personal"),
        ("enterprise", "team", "organisation"),
        ("enterprise", "enterprise", "organisation"),
    ],
)
async def test_g8_the_highest_tier_wins_and_the_organisation_within_one(
    tenant: Tenant, bank: Bank, organisation: str | None, personal: str | None, winner: str
):
    for whose, tier, principal in (
        ("organisation", organisation, None),
        ("personal", personal, tenant.principal),
    ):
        if tier:
            await bank.plan(f"g8-{whose}-{tier}", tier)
            await bank.subscribe(tenant, f"g8-{whose}-{tier}", principal)

    plan = (await spender(tenant).admit()).plan

    assert plan == (
        f"g8-{winner}-{organisation if winner == 'organisation' else personal}" if winner else ""
    )


@pytest.mark.parametrize(
    "state",
    [
        "status = 'ended'",
        "ends = now() - interval '1 second'",
        "starts = now() + interval '1 hour'",
    ],
    ids=["ended", "over", "to-come"],
)
async def test_g8_a_subscription_that_is_not_in_force_counts_for_nothing(
    tenant: Tenant, bank: Bank, state: str
):
    await bank.limit(tenant)
    await bank.superuser.execute(f"UPDATE subscriptions SET {state} WHERE tenant = $1", tenant.id)

    assert (await spender(tenant).admit()).plan == ""


async def test_g8_anothers_personal_plan_is_not_mine(tenant: Tenant, bank: Bank):
    await bank.plan("g8-others", "enterprise")
    other = (await tenant.create_key()).api_key.principal.id
    await bank.subscribe(tenant, "g8-others", other)

    assert (await spender(tenant).admit()).plan == ""


async def test_g8_a_plan_that_cannot_be_read_is_no_free_plan(
    tenant: Tenant, bank: Bank, superuser: asyncpg.Connection
):
    await bank.plan("g8-unreadable", "enterprise")
    await bank.subscribe(tenant, "g8-unreadable")

    async with superuser.transaction():
        await superuser.execute("LOCK TABLE subscriptions IN ACCESS EXCLUSIVE MODE")
        refused = await refusal(spender(tenant).admit())

    assert (refused.code, refused.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")
    assert refused.retry_after
    assert (await spender(tenant).admit()).plan == "g8-unreadable"
