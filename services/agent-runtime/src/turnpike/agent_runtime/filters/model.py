"""What a filter of texts is, without any I/O."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Self


class Action(StrEnum):
    """What becomes of a text that a filter matches."""

    REFUSE = "REFUSE"
    MASK = "MASK"
    """What matches is replaced by the filter's name, in brackets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFilter:
    """What a tenant says of a kind of text that people write."""

    name: str
    pattern: str
    """An expression, in RE2's syntax."""

    action: Action
    reason: str = ""
    """For whoever wrote it."""

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Self:
        """Returns what was stored."""
        return cls(**{**stored, "action": Action(stored["action"])})

    def as_dict(self) -> dict[str, Any]:
        """Returns what is stored of it."""
        return {**asdict(self), "action": self.action.value}
