"""What a skill is, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSpec:
    """What makes a skill. Immutable."""

    description: str
    """All that a model sees of it before it loads it."""

    instructions: str
    """Markdown."""

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return {"description": self.description, "instructions": self.instructions}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        return cls(description=stored["description"], instructions=stored["instructions"])


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSkill:
    """A skill as a turn began with it, whatever it is by now."""

    name: str
    version: UUID
    spec: SkillSpec
