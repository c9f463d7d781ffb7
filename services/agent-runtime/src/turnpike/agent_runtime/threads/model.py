"""What a thread is, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A conversation."""

    id: UUID
    title: str
    metadata: Mapping[str, str]
    temporary: bool
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What one side said in a turn."""

    id: str
    role: Literal["user", "assistant"]
    parts: list[Mapping[str, Any]]
    turn: UUID
    unfinished: bool
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A turn's two messages; the answer is missing while there is none."""

    position: int
    asked: Message
    answered: Message | None
