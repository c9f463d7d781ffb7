"""What admins may rely on when they ask why somebody is not admitted."""

from uuid import uuid4

import pytest
from redis.asyncio import Redis

from tests.gatekeeper.money import MODEL, PRICE, Bank, estimate, spender
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    ExplainAdmissionRequest,
    ExplainAdmissionResponse,
    ModelPrice,
)
from turnpike.rpc.identity import bearer

GATES = ["ban", "usage", "rate", "concurrency", "availability"]


async def explain(tenant: Tenant, principal: str = "") -> ExplainAdmissionResponse:
    request = ExplainAdmissionRequest(
        principal=principal or tenant.principal,
        estimate=estimate(10, 90),
        prices=[ModelPrice(model=MODEL, prices=PRICE)],
    )
    return await tenant.gatekeeper.stub.ExplainAdmission(request, metadata=tenant.as_admin)


async def test_every_gate_that_refuses_says_why_and_the_first_decides(tenant: Tenant, bank: Bank):
    await bank.limit(tenant, slots=1, sync_per_minute=1, sync_burst=1, monthly_limit_micro_usd=150)
    await spender(tenant).admit()

    explained = await explain(tenant)

    assert [gate.name for gate in explained.gates] == GATES
    assert [gate.reason for gate in explained.gates] == [
        "",
        "BUDGET_EXHAUSTED",
        "RATE_LIMITED",
        "CONCURRENCY_LIMITED",
        "",
    ]
    assert explained.decision == "BUDGET_EXHAUSTED"
    assert explained.gates[1].metadata["left_micro_usd"] == "50"
    assert explained.gates[2].retry_after.ToTimedelta().total_seconds() > 30
    assert (explained.plan, explained.payer) == (f"plan-of-{tenant.id}", "tenant")


async def test_explaining_consumes_nothing(tenant: Tenant, bank: Bank, redis: Redis):
    await bank.limit(tenant, slots=1, sync_per_minute=1, sync_burst=1)
    before = {name: await redis.dump(name) for name in await redis.keys()}
    active = "SELECT active_until FROM tenants WHERE tenant = $1"

    for _ in range(10):
        assert (await explain(tenant)).decision == "ADMITTED"

    assert {name: await redis.dump(name) for name in await redis.keys()} == before
    assert await bank.superuser.fetchval(active, tenant.id) is None
    await spender(tenant).admit()


async def test_a_ban_is_explained(tenant: Tenant):
    member = (await tenant.create_key()).api_key.principal.id
    await tenant.ban(member)

    explained = await explain(tenant, member)

    assert explained.decision == "BANNED"
    assert explained.gates[0].metadata["cause"] == "principal"


@pytest.mark.parametrize("who", ["member", "agent-runtime"])
async def test_only_admins_are_told(tenant: Tenant, who: str):
    secret = (await tenant.create_key()).secret
    caller = bearer(secret) if who == "member" else tenant.gatekeeper.as_runtime
    request = ExplainAdmissionRequest(principal=tenant.principal)

    refused = await refusal(tenant.gatekeeper.stub.ExplainAdmission(request, metadata=caller))

    assert refused.reason == "FORBIDDEN"


async def test_nothing_is_explained_of_nobody(tenant: Tenant):
    refused = await refusal(explain(tenant, str(uuid4())))

    assert refused.reason == "NOT_FOUND"
