"""Who decides an agent's approvals, on the wire."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from turnpike.agent_runtime.approvals.model import DEFAULT_RULES, ApprovalRules, OnExpiry
from turnpike.api.agent_runtime.v1 import approval_pb2 as pb


def rules_from_proto(rules: pb.ApprovalRules) -> ApprovalRules:
    """Returns the rules in a request."""
    window = DEFAULT_RULES.expires_after
    if rules.HasField("expires_after"):
        window = rules.expires_after.ToTimedelta().total_seconds()
    on_expiry = pb.ExpiryAction.Name(rules.on_expiry).removeprefix("EXPIRY_ACTION_")
    return ApprovalRules(
        approvers=tuple(each.lower() for each in rules.approvers),
        roles=tuple(rules.roles),
        exclude_requester=rules.exclude_requester,
        quorum=max(rules.quorum, 1),
        expires_after=window,
        on_expiry=OnExpiry.ABORT if on_expiry == "UNSPECIFIED" else OnExpiry(on_expiry),
        escalate_to=tuple(each.lower() for each in rules.escalate_to),
        escalate_to_roles=tuple(rules.escalate_to_roles),
        incremental=rules.incremental,
    )


def rules_to_proto(rules: ApprovalRules) -> pb.ApprovalRules | None:
    """Returns rules for a response; None when nothing was said."""
    if rules == DEFAULT_RULES:
        return None
    window = Duration()
    window.FromTimedelta(timedelta(seconds=rules.expires_after))
    return pb.ApprovalRules(
        approvers=rules.approvers,
        roles=rules.roles,
        exclude_requester=rules.exclude_requester,
        quorum=rules.quorum,
        expires_after=window,
        on_expiry=f"EXPIRY_ACTION_{rules.on_expiry}",
        escalate_to=rules.escalate_to,
        escalate_to_roles=rules.escalate_to_roles,
        incremental=rules.incremental,
    )
