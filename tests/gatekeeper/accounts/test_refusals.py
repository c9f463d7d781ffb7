"""What those who were refused may read of it, and their admins."""

from datetime import UTC, datetime
from typing import Any

import asyncpg

from tests.gatekeeper.accounts.callers import Accounts, Metadata
from tests.gatekeeper.serving import Tenant
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1 import account_service_pb2 as pb
from turnpike.api.gatekeeper.v1.principal_pb2 import Role
from turnpike.rpc.identity import bearer

INSERT = """
INSERT INTO refusals (tenant, turn, attempt, segment, principal, agent, reason, details, created)
SELECT $1, gen_random_uuid(), n, 1, $2, 'helper', $3, '{"limit": "sync"}',
  now() - n * interval '1 minute' FROM generate_series(1, $4) n
"""


async def refusals(accounts: Accounts, who: Metadata, **asked: Any) -> list[pb.Refusal]:
    """Returns all pages of a list."""
    request, found = pb.ListRefusalsRequest(**asked), list[pb.Refusal]()
    while True:
        page = await accounts.stub.ListRefusals(request, metadata=who)
        found += page.refusals
        if not page.next_page_token:
            return found
        request.page_token = page.next_page_token


async def test_refusals_are_told_to_whom_they_befell_and_to_admins(
    accounts: Accounts, tenant: Tenant, superuser: asyncpg.Connection
):
    member = await tenant.create_key(Role.ROLE_MEMBER)
    mine, who = member.api_key.principal.id, bearer(member.secret)
    await superuser.execute(INSERT, tenant.id, tenant.principal, "RATE_LIMITED", 3)
    await superuser.execute(INSERT, tenant.id, mine, "BUDGET_EXHAUSTED", 2)
    theirs = await tenant.gatekeeper.create_tenant()

    of_all = await refusals(accounts, tenant.as_admin, page_size=2)
    own = await refusals(accounts, who)
    of_member = await refusals(accounts, tenant.as_admin, principal=mine)
    of_reason = await refusals(accounts, tenant.as_admin, reason="RATE_LIMITED")
    others = accounts.stub.ListRefusals(
        pb.ListRefusalsRequest(principal=tenant.principal), metadata=who
    )

    times = [each.create_time.ToDatetime(UTC) for each in of_all]
    assert len(of_all) == 5 and times == sorted(times, reverse=True)
    assert own == of_member and {each.principal for each in own} == {mine}
    assert [each.attempt for each in of_reason] == [1, 2, 3]
    assert (own[0].agent, own[0].reason, dict(own[0].metadata)) == (
        "helper",
        "BUDGET_EXHAUSTED",
        {"limit": "sync"},
    )
    assert own[0].create_time.ToDatetime(UTC) < datetime.now(UTC)
    assert (await refusal(others)).reason == "FORBIDDEN"
    assert await refusals(accounts, theirs.as_admin) == []


async def test_a_refused_admission_can_be_looked_up(accounts: Accounts, tenant: Tenant):
    await tenant.ban(tenant.principal)
    turn = tenant.turn()

    assert (await refusal(tenant.admit(turn))).reason == "BANNED"

    async def listed() -> bool:
        found = await refusals(accounts, tenant.as_admin)
        return [(each.turn, each.reason) for each in found] == [(turn.turn, "BANNED")]

    await until(listed)
