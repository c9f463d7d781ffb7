"""Who may see an approval, and who may decide it, without any I/O."""

from dataclasses import dataclass
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
