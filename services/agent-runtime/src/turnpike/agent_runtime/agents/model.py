"""What an agent is, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

DEFAULT_MAX_STEPS = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSpec:
    """What makes an agent. Immutable: versions are shared by all who ask for them."""

    model: str
    instructions: str
    tools: tuple[str, ...]
    max_steps: int
    allow: tuple[str, ...]
    deny: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return {
            "model": self.model,
            "instructions": self.instructions,
            "tools": list(self.tools),
            "max_steps": self.max_steps,
            "allow": list(self.allow),
            "deny": list(self.deny),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        return cls(
            model=stored["model"],
            instructions=stored["instructions"],
            tools=tuple(stored["tools"]),
            max_steps=stored["max_steps"],
            allow=tuple(stored["allow"]),
            deny=tuple(stored["deny"]),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """An agent's spec, and who made it."""

    spec: AgentSpec
    created_by: UUID
