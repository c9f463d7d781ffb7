"""Who may see an approval, and who may decide it, without any I/O."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from turnpike.agent_runtime.approvals.model import Approval

_ADMINS = frozenset({"owner", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Viewer:
    """Who looks, or decides."""

    tenant: UUID
    principal: UUID
    role: str
    banned: bool = False

    @property
    def is_admin(self) -> bool:
        """Whether they see all of the tenant's."""
        return self.role in _ADMINS


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which approvals somebody wants to see; what is None, or empty, selects all."""

    statuses: Sequence[str] = ()
    thread: UUID | None = None
    agent: str | None = None
    tool: str | None = None
    """A glob of `connector/tool`."""

    requester: UUID | None = None
    created_before: datetime | None = None
    created_after: datetime | None = None
    expires_before: datetime | None = None
    mine: bool = False
    """Only what they may decide."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What waits that somebody may see."""

    pending: int
    mine: int
    """How many of them they may decide."""

    newest: UUID | None
    """Which came last."""


def may_decide(approval: Approval, viewer: Viewer) -> bool:
    """Says whether somebody is asked: by name, by role, or because nobody else is named."""
    rules, own = approval.rules, approval.principal == viewer.principal
    if viewer.banned or (own and rules.exclude_requester):
        return False
    if approval.escalated:
        named, roles, default = rules.escalate_to, rules.escalate_to_roles, viewer.is_admin
    else:
        named, roles, default = rules.approvers, rules.roles, viewer.is_admin or own
    if not named and not roles:
        return default
    return str(viewer.principal) in named or viewer.role in roles
