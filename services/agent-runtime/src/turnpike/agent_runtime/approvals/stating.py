"""Approvals and decisions as messages: in events, and in responses."""

from collections.abc import Sequence
from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from turnpike.agent_runtime.approvals.model import NOBODY, Approval, Decision, Item
from turnpike.api.agent_runtime.v1 import approval_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import ApprovalDecided, ApprovalRequired


def required(
    approval: str, items: Sequence[Item], expires: datetime, *, escalated: bool = False
) -> ApprovalRequired:
    """States what a turn waits for."""
    return ApprovalRequired(
        approval=approval,
        calls=[call_to_proto(each) for each in items],
        questions=questions_to_proto(items),
        expire_time=expires,
        escalated=escalated,
    )


def decided(approval: Approval, said: Sequence[Decision], *, complete: bool) -> ApprovalDecided:
    """States what somebody decided; NOBODY, when it expired."""
    by = said[0].principal
    return ApprovalDecided(
        approval=str(approval.id),
        decisions=[decision_to_proto(each) for each in said],
        decided_by="" if by == NOBODY else str(by),
        complete=complete,
    )


def call_to_proto(item: Item) -> pb.ApprovalCall:
    """Returns what is asked about a call."""
    return pb.ApprovalCall(
        call_id=item.call_id,
        name=item.name,
        arguments=item.arguments,
        reason=item.reason,
        allowed=[_kind(each) for each in item.kinds],
    )


def questions_to_proto(items: Sequence[Item]) -> list[pb.ApprovalQuestion]:
    """Returns the questions of what is asked."""
    return [
        pb.ApprovalQuestion(
            call_id=item.call_id,
            id=question.id,
            header=question.header,
            text=question.text,
            options=question.options,
            multiple=question.multiple,
            schema=question.schema,
            default=question.default,
            url=question.url,
        )
        for item in items
        for question in item.questions
    ]


def decision_to_proto(decision: Decision) -> pb.Decision:
    """Returns what was decided."""
    said = pb.Decision(
        call_id=decision.call_id,
        kind=_kind(decision.kind),
        arguments=decision.arguments,
        text=decision.text,
        feedback=decision.feedback,
        scope=decision.scope,
        expires=_time(decision.expires),
        decide_time=_time(decision.created),
    )
    if decision.principal != NOBODY:
        said.decided_by = str(decision.principal)
    return said


def _kind(kind: str) -> str:
    return f"DECISION_KIND_{kind.upper()}"


def _time(moment: datetime | None) -> Timestamp | None:
    if moment is None:
        return None
    time = Timestamp()
    time.FromDatetime(moment)
    return time
