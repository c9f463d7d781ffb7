"""What a skill is, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self
from uuid import UUID

from turnpike.agent_runtime.policy.documents import rules_document, rules_of
from turnpike.agent_runtime.policy.model import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillSpec:
    """What makes a skill. Immutable."""

    description: str
    """All that a model sees of it before it loads it."""

    instructions: str
    """Markdown."""

    rules: tuple[Rule, ...] = ()
    """Of calls once it is loaded: ASK and DENY."""

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        said = {"description": self.description, "instructions": self.instructions}
        return said | ({"rules": rules_document(self.rules)} if self.rules else {})

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        return cls(
            description=stored["description"],
            instructions=stored["instructions"],
            rules=rules_of(stored.get("rules", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedSkill:
    """A skill as a turn began with it, whatever it is by now."""

    name: str
    version: UUID
    spec: SkillSpec
