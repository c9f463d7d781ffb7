"""What people said of the calls of a step that goes on, without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from turnpike.agent_runtime.approvals.model import Approval, Decision, Item


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What was asked about a call, and what was decided."""

    item: Item
    decision: Decision
    at: datetime


@dataclass(frozen=True, slots=True)
class Reviews:
    """All that was decided of a step, and what stands for all of its turn."""

    by_call: Mapping[str, Review] = field(default_factory=dict[str, Review])
    always: frozenset[tuple[str, str]] = frozenset()
    """Tools, by name and digest, that are approved for the rest of the turn."""

    def of(self, call_id: str) -> Review | None:
        """Returns what was decided of a call, if anything was."""
        return self.by_call.get(call_id)


def reviews_of(approvals: Sequence[Approval], always: frozenset[tuple[str, str]]) -> Reviews:
    """Returns what was decided in a step's approvals, oldest first: the last word counts."""
    found: dict[str, Review] = {}
    for approval in approvals:
        settled = approval.settled
        for item in approval.items:
            if decision := settled.get(item.call_id):
                at = decision.created or approval.created
                found[item.call_id] = Review(item=item, decision=decision, at=at)
    return Reviews(found, always)
