"""Judging the calls of a step, right before they run."""

from collections.abc import Sequence

from turnpike.agent_runtime.policy.model import (
    Effect,
    Kind,
    Layer,
    Layers,
    ToolCall,
    Verdict,
    listed,
)
from turnpike.agent_runtime.policy.rules import Rules, judge


class Judge:
    """Judges the calls of one turn."""

    def __init__(self, rules: Rules) -> None:
        self._rules = rules

    async def judge(self, calls: Sequence[ToolCall]) -> list[Verdict]:
        """Returns what becomes of each of a step's calls, by what is said at this moment."""
        return [judge(self._rules, call) for call in calls]


def judge_of(allow: Sequence[str], deny: Sequence[str]) -> Judge:
    """Returns what judges the calls of an agent's turn."""
    rules = listed(Effect.ALLOW, allow) + listed(Effect.DENY, deny)
    return Judge(Rules(Layers(agent=Layer(rules=rules), otherwise=Kind.ALLOW)))
