"""How a turn ends."""

from collections.abc import Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.turns.model import Call, Owed, Reply, Spend

# Why gatekeeper refuses a turn that it then holds nothing for.
_DECIDED = frozenset({"BANNED", "BUDGET_EXHAUSTED", "RATE_LIMITED", "CONCURRENCY_LIMITED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends."""

    status: str
    reply: Reply | None
    """What the model said since the last commit, if anything."""

    results: list[Call]
    """Calls of the open step, closed."""

    step: int
    """The step of those calls."""

    answer: str | None
    """The turn's answer; None keeps what is stored."""

    spend: Spend | None = None
    """What the last model call used, unless that is committed already."""

    reason: str = ""
    message: str = ""

    @property
    def owes_release(self) -> bool:
        """Whether gatekeeper may hold something for the turn: not if it refused it."""
        return self.status != "REFUSED" or self.reason not in _DECIDED


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What the end of a turn left to be done."""

    promoted: bool
    """Whether the thread's next turn is due now."""

    owed: Sequence[Owed]
    """What its segment owes, as far as it is ours to settle."""
