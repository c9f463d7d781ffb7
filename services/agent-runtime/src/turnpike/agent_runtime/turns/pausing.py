"""What a turn pauses with."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from turnpike.agent_runtime.approvals.model import DEFAULT_RULES, ApprovalRules, Item
from turnpike.agent_runtime.approvals.stating import required
from turnpike.agent_runtime.events.writer import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """An approval that is about to be asked for."""

    id: UUID
    items: Sequence[Item]
    rules: ApprovalRules
    expires: datetime

    @property
    def stated(self) -> Body:
        """What readers are told."""
        return {"approval_required": required(str(self.id), self.items, self.expires)}


def pause_for(items: Sequence[Item], of_agent: ApprovalRules, of_tenant: ApprovalRules) -> Pause:
    """Returns what a turn pauses with, beginning now: by its agent's rules, if it says any."""
    rules = of_tenant if of_agent == DEFAULT_RULES else of_agent
    window = timedelta(seconds=rules.expires_after)
    return Pause(id=uuid4(), items=items, rules=rules, expires=datetime.now(UTC) + window)
