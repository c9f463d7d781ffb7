"""What an agent is, without any I/O."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from turnpike.agent_runtime.approvals.model import DEFAULT_RULES, ApprovalRules
from turnpike.agent_runtime.policy.documents import POLICY_NAMES, document_of, policy_of
from turnpike.agent_runtime.policy.model import NO_POLICY, Policy

DEFAULT_MAX_STEPS = 25

VARIABLES = ("current_datetime", "current_date", "time_zone", "agent_name")
"""What instructions may name in two pairs of braces, to be filled in when a turn runs."""

_VARIABLE = re.compile(r"\{\{\s*([\w.-]*)\s*\}\}")
_KNOWN = frozenset("{{" + name + "}}" for name in VARIABLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolSearch:
    """When an agent's tools are searched for, and which are always shown."""

    percent: int = 0
    """The share of the model's context that definitions may take; 0 for the operator's."""

    pinned: tuple[str, ...] = ()
    """Patterns `connector/tool`, with `*`."""


NO_TOOL_SEARCH = ToolSearch()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """What makes an agent. Immutable: versions are shared by all who ask for them."""

    model: str
    instructions: str
    tools: tuple[str, ...]
    max_steps: int
    policy: Policy = NO_POLICY
    approvals: ApprovalRules = DEFAULT_RULES
    """Who decides what it asks for, and for how long."""

    tool_search: ToolSearch = NO_TOOL_SEARCH
    skills: tuple[str, ...] = ()
    """Names, in the order in which its model is told of them."""

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return {
            "model": self.model,
            "instructions": self.instructions,
            "tools": list(self.tools),
            "max_steps": self.max_steps,
            **self._searching(),
            **({"skills": list(self.skills)} if self.skills else {}),
            # There even when they are empty: a replica of before reads them.
            **{"allow": [], "deny": []} | document_of(self.policy),
        } | self._asking()

    def _asking(self) -> dict[str, Any]:
        # Of an agent that says nothing of it nothing is stored that was not before.
        return {} if self.approvals == DEFAULT_RULES else {"approvals": self.approvals.as_dict()}

    def _searching(self) -> dict[str, Any]:
        # Only where it says something: a version of before stays the same.
        if self.tool_search == NO_TOOL_SEARCH:
            return {}
        asked = self.tool_search
        return {"tool_search": {"percent": asked.percent, "pinned": list(asked.pinned)}}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        return cls(
            model=stored["model"],
            instructions=stored["instructions"],
            tools=tuple(stored["tools"]),
            max_steps=stored["max_steps"],
            tool_search=_tool_search(stored.get("tool_search", {})),
            skills=tuple(stored.get("skills", ())),
            policy=policy_of(
                {name: value for name, value in stored.items() if name in POLICY_NAMES}
            ),
            approvals=ApprovalRules.from_dict(stored.get("approvals", {})),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An agent's spec, and who made it."""

    spec: AgentSpec
    created_by: UUID


def _tool_search(stored: Mapping[str, Any]) -> ToolSearch:
    return ToolSearch(percent=stored.get("percent", 0), pinned=tuple(stored.get("pinned", ())))


def unknown_variable(instructions: str) -> str:
    """Returns the first thing in instructions that looks like a variable and is none; or ""."""
    found = (match.group() for match in _VARIABLE.finditer(instructions))
    return next((each for each in found if each not in _KNOWN), "")
