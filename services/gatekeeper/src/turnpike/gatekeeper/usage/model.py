"""The values of reports."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

DIMENSIONS = ("tenant", "principal", "agent", "model", "hour", "day", "month")
PERIODS = ("hour", "day", "month")

Key = tuple[object, ...]
"""What a row of a report is about: a value for each dimension, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Whose usage is meant, and of when. None is everybody's, and everything."""

    tenant: UUID | None
    principal: UUID | None = None
    agent: str | None = None
    model: str | None = None
    turn: UUID | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    """Exclusive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """That part of a sum which deserves a second look."""

    entries: int = 0
    tokens: int = 0
    cost_micro_usd: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sum:
    """Entries of the ledger, added up."""

    entries: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cost_micro_usd: int = 0
    default_priced: Part = Part()
    estimated: Part = Part()
    own_key: Part = Part()


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row of a report."""

    key: Key
    sum: Sum


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was used in some time, by what was asked for."""

    by: tuple[str, ...]
    lines: list[Line]
    total: Sum
    begins: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A line of the ledger."""

    tenant: UUID
    id: UUID
    turn: UUID
    step: int
    call: int
    attempt: int
    kind: str
    principal: UUID
    agent: str
    model: str
    input_tokens: int
    cached_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_micro_usd: int
    default_price: bool
    own_key: bool
    estimated: bool
    created: datetime
