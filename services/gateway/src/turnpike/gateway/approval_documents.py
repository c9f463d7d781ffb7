"""Approvals and decisions as JSON: in replies, in turns, and in events."""

from typing import Any

from turnpike.api.agent_runtime.v1.approval_pb2 import (
    Approval,
    ApprovalCall,
    ApprovalQuestion,
    ApprovalStatus,
    Decision,
    DecisionKind,
)
from turnpike.gateway.documents import embed_any, embed_object, rfc3339

KINDS = {
    value: name.removeprefix("DECISION_KIND_").lower()
    for name, value in DecisionKind.items()
    if value
}
STATUSES = {value: name.removeprefix("APPROVAL_STATUS_") for name, value in ApprovalStatus.items()}


def call_document(call: ApprovalCall) -> dict[str, Any]:
    """Returns a call that somebody is asked about."""
    return {
        "call_id": call.call_id,
        "name": call.name,
        "arguments": embed_object(call.arguments),
        "reason": call.reason,
        "allowed": [KINDS[kind] for kind in call.allowed if kind in KINDS],
    }


def question_document(question: ApprovalQuestion) -> dict[str, Any]:
    """Returns one thing that somebody is asked."""
    return {
        "call_id": question.call_id,
        "id": question.id,
        "header": question.header or None,
        "text": question.text,
        "options": list(question.options),
        "multiple": question.multiple,
        "schema": embed_any(question.schema) if question.schema else None,
        "default": embed_any(question.default) if question.default else None,
        "url": question.url or None,
    }


def decision_document(decision: Decision) -> dict[str, Any]:
    """Returns what somebody decided, without what does not go with it."""
    document: dict[str, Any] = {
        "call_id": decision.call_id,
        "kind": KINDS.get(decision.kind, "unknown"),
    }
    if decision.arguments:
        document["arguments"] = embed_any(decision.arguments)
    if decision.scope:
        document["scope"] = embed_any(decision.scope)
    for name in ("text", "feedback"):
        if said := getattr(decision, name):
            document[name] = said
    if decision.HasField("expires"):
        document["expires"] = rfc3339(decision.expires)
    document["decided_by"] = decision.decided_by or None
    if decision.HasField("decide_time"):
        document["decided_at"] = rfc3339(decision.decide_time)
    return document


def pending_document(approval: Approval) -> dict[str, Any]:
    """Returns what a turn waits for, as the turn shows it."""
    return {
        "id": approval.id,
        "calls": [call_document(each) for each in approval.calls],
        "questions": [question_document(each) for each in approval.questions],
        "decisions": [decision_document(each) for each in approval.decisions],
        "expires": rfc3339(approval.expire_time),
        "escalated": approval.escalated,
    }


def approval_document(approval: Approval) -> dict[str, Any]:
    """Returns an approval."""
    decided = approval.HasField("decide_time")
    return {
        "id": approval.id,
        "turn": approval.turn,
        "thread": approval.thread,
        "agent": approval.agent,
        "requester": approval.requester,
        "status": STATUSES.get(approval.status, "PENDING"),
        "calls": [call_document(each) for each in approval.calls],
        "questions": [question_document(each) for each in approval.questions],
        "decisions": [decision_document(each) for each in approval.decisions],
        "decided_by": approval.decided_by or None,
        "decided_at": rfc3339(approval.decide_time) if decided else None,
        "expires": rfc3339(approval.expire_time),
        "quorum": approval.quorum,
        "incremental": approval.incremental,
        "may_decide": approval.may_decide,
        "escalated": approval.escalated,
        "created": rfc3339(approval.create_time),
    }
