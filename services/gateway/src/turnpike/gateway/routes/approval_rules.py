"""Who decides what agents ask for, and for how long."""

from datetime import timedelta
from typing import Annotated, Literal

from google.protobuf.duration_pb2 import Duration
from pydantic import Field

from turnpike.api.agent_runtime.v1 import approval_pb2
from turnpike.gateway.routes.shapes import Reply, Request, Text

_ON_EXPIRY: dict[str, Literal["abort", "reject", "escalate"]] = {
    "ABORT": "abort",
    "REJECT": "reject",
    "ESCALATE": "escalate",
}
Principals = Annotated[
    list[Annotated[Text, Field(min_length=1, max_length=64)]], Field(max_length=100)
]
Roles = Annotated[list[Literal["member", "admin"]], Field(max_length=2)]


class ApprovalRules(Request):
    """Who decides what an agent asks for, and for how long."""

    approvers: Principals = Field(default=[], description="Ids of who may decide.")
    roles: Roles = Field(default=[], description="Everybody of these roles may decide.")
    exclude_requester: bool = False
    quorum: Annotated[int, Field(ge=0, le=20)] = 1
    expires_after: Annotated[float, Field(ge=1, le=31_536_000)] = Field(
        default=86_400, description="Seconds."
    )
    on_expiry: Literal["abort", "reject", "escalate"] = "abort"
    escalate_to: Principals = Field(default=[])
    escalate_to_roles: Roles = Field(default=[])
    incremental: bool = Field(default=False, description="Decisions may come one at a time.")


class ApprovalRulesReply(Reply):
    """Who decides what an agent asks for, and for how long."""

    approvers: list[str]
    roles: list[str]
    exclude_requester: bool
    quorum: int
    expires_after: float
    on_expiry: Literal["abort", "reject", "escalate"]
    escalate_to: list[str]
    escalate_to_roles: list[str]
    incremental: bool


def rules_message(rules: ApprovalRules) -> approval_pb2.ApprovalRules:
    """Returns rules as the services know them."""
    window = Duration()
    window.FromTimedelta(timedelta(seconds=rules.expires_after))
    return approval_pb2.ApprovalRules(
        approvers=rules.approvers,
        roles=rules.roles,
        exclude_requester=rules.exclude_requester,
        quorum=rules.quorum,
        expires_after=window,
        on_expiry=f"EXPIRY_ACTION_{rules.on_expiry.upper()}",
        escalate_to=rules.escalate_to,
        escalate_to_roles=rules.escalate_to_roles,
        incremental=rules.incremental,
    )


def rules_reply(rules: approval_pb2.ApprovalRules) -> ApprovalRulesReply:
    """Returns rules for a reply."""
    action = approval_pb2.ExpiryAction.Name(rules.on_expiry).removeprefix("EXPIRY_ACTION_")
    return ApprovalRulesReply(
        approvers=list(rules.approvers),
        roles=list(rules.roles),
        exclude_requester=rules.exclude_requester,
        quorum=rules.quorum,
        expires_after=rules.expires_after.ToTimedelta().total_seconds(),
        on_expiry=_ON_EXPIRY.get(action, "abort"),
        escalate_to=list(rules.escalate_to),
        escalate_to_roles=list(rules.escalate_to_roles),
        incremental=rules.incremental,
    )
