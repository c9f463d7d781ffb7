"""What a decision is refused by when it is wrong in two ways: each rung comes before the next."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from uuid import UUID, uuid4

from tests.agent_runtime.approvals.asking import (
    ASKS,
    FIRST,
    answered,
    approval_of,
    decide,
    paused,
    said,
)
from tests.agent_runtime.serving import Metadata, Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, cancel
from tests.waiting import refusal
from turnpike.api.agent_runtime.v1.approval_pb2 import ApprovalStatus
from turnpike.api.agent_runtime.v1.approval_service_pb2 import DecideRequest
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy, TextFilter
from turnpike.api.agent_runtime.v1.policy_service_pb2 import UpdatePolicyRequest
from turnpike.rpc.errors import RemoteError

APPROVER = "11111111-1111-4111-8111-111111111111"
LADDER = {
    "nobody's credential": ("UNAUTHENTICATED", ""),
    "a role that may not decide": ("FORBIDDEN", ""),
    "no request": ("INVALID_ARGUMENT", "request_id"),
    "no such approval": ("NOT_FOUND", ""),
    "not who is asked": ("FORBIDDEN", ""),
    "a text that a filter refuses": ("TEXT_REFUSED", "decisions[0].feedback"),
    "no decision that fits": ("INVALID_ARGUMENT", "decisions[0].call_id"),
    "another one's key": ("IDEMPOTENCY_KEY_REUSED", ""),
    "decided": ("APPROVAL_DECIDED", ""),
    "over": ("APPROVAL_CLOSED", ""),
}
"""What is wrong, in the order in which it is said; the reason and the field that are told."""


@dataclass(frozen=True)
class Approvals:
    """Approvals of one agent, which `APPROVER` alone decides."""

    tenant: Tenant
    waiting: str
    decided: str
    """By the key `k1`, and its time has passed since."""

    over: str

    async def refused(self, wrong: Iterable[str]) -> RemoteError:
        """Returns what a decision is refused by that is wrong in these ways."""
        faults = set(wrong)
        decision = said("reject", FIRST)
        if "a text that a filter refuses" in faults:
            decision.feedback = "a secret"
        if "no decision that fits" in faults:
            decision.call_id = "call_9_9"
        request = DecideRequest(approval=self._which(faults), decisions=[decision])
        if "another one's key" in faults:
            request.request_id = "k1"
        if "no request" in faults:
            request.request_id = "k" * 256
        approvals = self.tenant.runtime.approvals
        return await refusal(approvals.Decide(request, metadata=self._who(faults)))

    def _which(self, faults: set[str]) -> str:
        if "no such approval" in faults:
            return str(uuid4())
        if faults & {"another one's key", "decided"}:
            return self.decided
        return self.over if "over" in faults else self.waiting

    def _who(self, faults: set[str]) -> Metadata:
        if "nobody's credential" in faults:
            return (("authorization", "Bearer nonsense"),)
        if "a role that may not decide" in faults:
            return self.tenant.somebody("viewer", APPROVER)
        if "not who is asked" in faults:
            return self.tenant.admin
        return self.tenant.somebody("member", APPROVER)


async def prepared(world: World, tenant: Tenant, provider: Provider, tools: Tools) -> Approvals:
    rules: dict[str, Any] = {"approvers": [APPROVER], "exclude_requester": True}
    await tools.offer(tenant, **ASKS, approvals=rules)
    word = TextFilter(name="word", pattern="secret", action="TEXT_FILTER_ACTION_REFUSE")
    policy = UpdatePolicyRequest(tenant=TenantPolicy(text_filters=[word]))
    await tenant.runtime.policies.UpdatePolicy(policy, metadata=tenant.admin)
    turns = [await paused(tenant, provider, arguments='{"tag": "ladder"}') for _ in range(3)]
    waiting, decided, over = turns
    approver = tenant.somebody("member", APPROVER)
    await decide(tenant, decided.approval.id, said("approve"), by=approver, request_id="k1")
    await answered(tenant, provider, decided.id)
    await cancel(tenant, over.id)
    await tenant.ended(over.id)
    await world.superuser.execute(
        "UPDATE approvals SET expires = created WHERE id = $1", UUID(decided.approval.id)
    )
    return Approvals(tenant, waiting.approval.id, decided.approval.id, over.approval.id)


async def test_r27_of_two_things_that_are_wrong_the_first_is_said_and_nothing_happens(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    approvals = await prepared(world, tenant, provider, tools)
    rows = "SELECT count(*) FROM decisions WHERE tenant::text = $1"
    before = await world.superuser.fetchval(rows, tenant.id)
    rungs = list(LADDER)
    alone = [(each,) for each in rungs]

    told: dict[tuple[str, ...], tuple[str, str]] = {}
    for wrong in (*alone, *combinations(rungs, 2)):
        error = await approvals.refused(wrong)
        told[wrong] = error.reason, error.fields[0][0] if error.fields else ""
    after = await world.superuser.fetchval(rows, tenant.id)
    still = await approval_of(tenant, approvals.waiting)

    assert told == {wrong: LADDER[wrong[0]] for wrong in told}
    assert (len(told), after) == (len(rungs) + 45, before)
    assert still.status == ApprovalStatus.APPROVAL_STATUS_PENDING
    assert tools.effects("ladder") == 1
