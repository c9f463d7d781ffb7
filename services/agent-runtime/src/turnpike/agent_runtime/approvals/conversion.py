"""Approvals on the wire."""

from datetime import UTC, datetime
from uuid import UUID

from turnpike.agent_runtime.approvals.deciding import Submission
from turnpike.agent_runtime.approvals.model import Approval, Decision, Kind
from turnpike.agent_runtime.approvals.stating import (
    call_to_proto,
    decision_to_proto,
    questions_to_proto,
)
from turnpike.agent_runtime.approvals.visibility import Selection, Viewer, may_decide
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.api.agent_runtime.v1 import approval_pb2
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as pb
from turnpike.rpc.identity import Caller

_KINDS = {approval_pb2.DecisionKind.Value(f"DECISION_KIND_{kind.upper()}"): kind for kind in Kind}


def viewer_of(caller: Caller) -> Viewer:
    """Returns who looks, or decides."""
    return Viewer(
        tenant=UUID(caller.tenant),
        principal=UUID(caller.principal),
        role="admin" if caller.role == "owner" else caller.role,
        banned=caller.banned,
    )


def identifier(text: str, kind: str = "approval") -> UUID:
    """Returns the id in `text`; what is no id names nothing."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(kind, text) from None


def submission_from_proto(request: pb.DecideRequest) -> Submission:
    """Returns what somebody decides; a kind that nobody knows is none."""
    return Submission(
        approval=identifier(request.approval),
        decisions=[_decision(each) for each in request.decisions],
        request_id=request.request_id,
    )


def approval_to_proto(approval: Approval, viewer: Viewer) -> approval_pb2.Approval:
    """Returns an approval as a viewer may see it."""
    pending = approval.status == "PENDING"
    return approval_pb2.Approval(
        id=str(approval.id),
        turn=str(approval.turn),
        thread=str(approval.thread),
        agent=approval.agent,
        requester=str(approval.principal),
        status=f"APPROVAL_STATUS_{approval.status}",
        calls=[call_to_proto(each) for each in approval.items],
        questions=questions_to_proto(approval.items),
        decisions=[decision_to_proto(each) for each in approval.decisions],
        decided_by=str(approval.decided_by) if approval.decided_by else "",
        decide_time=approval.decided,
        expire_time=approval.expires,
        create_time=approval.created,
        quorum=max(approval.rules.quorum, 1),
        incremental=approval.rules.incremental,
        may_decide=pending and may_decide(approval, viewer),
        escalated=approval.escalated,
    )


def selection_from_proto(request: pb.ListApprovalsRequest) -> Selection:
    """Returns which approvals somebody wants to see; what is no id names nothing."""
    name = approval_pb2.ApprovalStatus.Name
    return Selection(
        statuses=[name(each).removeprefix("APPROVAL_STATUS_") for each in request.statuses],
        thread=identifier(request.thread, "thread") if request.thread else None,
        agent=request.agent or None,
        tool=request.tool or None,
        requester=identifier(request.requester, "principal") if request.requester else None,
        created_before=_time(request, "created_before"),
        created_after=_time(request, "created_after"),
        expires_before=_time(request, "expires_before"),
        mine=request.mine,
    )


def _time(message: approval_pb2.Decision | pb.ListApprovalsRequest, name: str) -> datetime | None:
    return getattr(message, name).ToDatetime(UTC) if message.HasField(name) else None  # pyright: ignore[reportArgumentType] # a field of it


def _decision(decision: approval_pb2.Decision) -> Decision:
    return Decision(
        call_id=decision.call_id,
        kind=_KINDS.get(decision.kind, ""),
        arguments=decision.arguments.replace("\0", ""),
        text=decision.text.replace("\0", ""),
        feedback=decision.feedback.replace("\0", ""),
        scope=decision.scope.replace("\0", ""),
        expires=_time(decision, "expires"),
    )
