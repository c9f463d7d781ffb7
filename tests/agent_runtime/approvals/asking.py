"""Turns that wait for somebody, and people who decide."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import grpc
import pytest

from tests.agent_runtime.serving import Metadata, Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.world import World, begin
from tests.waiting import until
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as pb
from turnpike.api.agent_runtime.v1.approval_pb2 import Approval, Decision
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.rpc.errors import RemoteError, from_rpc_error

ASKS: dict[str, Any] = {"policy": {"ask": ["effects/*"]}}
FIRST = "call_1_0"


async def waiting(tenant: Tenant, turn: str) -> Turn:
    """Returns a turn once it waits for somebody to decide."""
    found = await tenant.turn(turn)

    async def waits() -> bool:
        nonlocal found
        found = await tenant.turn(turn)
        return found.waiting_for == "approval" and found.HasField("approval")

    await until(waits)
    return found


async def paused(
    tenant: Tenant, provider: Provider, *names: str, arguments: str = "{}", **fields: Any
) -> Turn:
    """Returns a turn that waits for somebody to decide about calls of tools."""
    turn, ask = await begin(tenant, provider, **fields)
    ask.ask_for(*(names or ("effects__transfer",)), arguments=arguments)
    return await waiting(tenant, turn.id)


async def decide(
    tenant: Tenant,
    approval: str,
    *decisions: Decision,
    by: Metadata | None = None,
    request_id: str = "",
) -> Approval:
    """Decides an approval; each decision is of the first call unless it says another."""
    for each in decisions:
        each.call_id = each.call_id or FIRST
    request = pb.DecideRequest(approval=approval, decisions=decisions, request_id=request_id)
    response = await tenant.runtime.approvals.Decide(request, metadata=by or tenant.admin)
    return response.approval


async def refused(tenant: Tenant, approval: str, *decisions: Decision, **how: Any) -> RemoteError:
    """Returns why decisions are refused."""
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await decide(tenant, approval, *decisions, **how)
    return from_rpc_error(refusal.value)


def said(kind: str, call_id: str = "", **fields: Any) -> Decision:
    """Returns a decision."""
    return Decision(call_id=call_id, kind=f"DECISION_KIND_{kind.upper()}", **fields)


async def answered(tenant: Tenant, provider: Provider, turn: str) -> tuple[Turn, Ask]:
    """Has the model answer; returns the turn, ended, and what the model was told."""
    ask = await provider.asked()
    ask.answer("done")
    return await tenant.ended(turn), ask


def told(ask: Ask) -> list[str]:
    """Returns what a model was told of its calls."""
    return [each["content"] for each in ask.body["messages"] if each["role"] == "tool"]


async def approval_of(tenant: Tenant, approval: str) -> Approval:
    """Returns an approval as it stands."""
    response = await tenant.runtime.approvals.GetApproval(
        pb.GetApprovalRequest(id=approval), metadata=tenant.admin
    )
    return response.approval


async def inbox(tenant: Tenant, *, by: Metadata | None = None, **fields: Any) -> Sequence[Approval]:
    """Returns what is listed."""
    response = await tenant.runtime.approvals.ListApprovals(
        pb.ListApprovalsRequest(**fields), metadata=by or tenant.admin
    )
    return response.approvals


async def let_pass(world: World, turn: str, hours: float) -> None:
    """Lets time pass for a turn: everything that it waits for comes so much sooner."""
    seconds = hours * 3600
    for statement in (
        "UPDATE approvals SET expires = expires - make_interval(secs => $2),"
        " created = created - make_interval(secs => $2) WHERE turn = $1",
        "UPDATE turns SET due_at = due_at - make_interval(secs => $2),"
        " admission_since = admission_since - make_interval(secs => $2) WHERE id = $1",
    ):
        await world.superuser.execute(statement, UUID(turn), seconds)
