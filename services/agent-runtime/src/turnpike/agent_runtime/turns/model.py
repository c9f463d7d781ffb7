"""What a turn is, without any I/O."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "EXPIRED", "REFUSED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    cost_micro_usd: int = 0

    def as_list(self) -> list[int]:
        """Returns the five figures in the order that the SQL functions take."""
        return [
            self.input_tokens,
            self.output_tokens,
            self.cached_tokens,
            self.cache_write_tokens,
            self.cost_micro_usd,
        ]


NO_USAGE = Usage()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A row of `turns`."""

    id: UUID
    position: int
    tenant: UUID
    thread: UUID
    principal: UUID
    api_key: str
    attempt: int
    status: str
    waiting_for: str
    agent: str
    agent_version: UUID
    input: list[dict[str, Any]]
    time_zone: str
    metadata: Mapping[str, str]
    traceparent: str
    owner: UUID | None
    owner_name: str
    fence: int
    desired: str
    fruitless: int
    committed_seq: int
    reserved_seq: int
    step: int
    answer: str
    usage: Usage
    error_reason: str
    error_message: str
    created: datetime
    finished: datetime | None

    @property
    def ended(self) -> bool:
        """Whether nothing changes it any more."""
        return self.status in TERMINAL


@dataclass(slots=True, kw_only=True)
class Call:
    """One tool call of a step; `outcome` is empty until it ended."""

    ordinal: int
    call_id: str
    provider_id: str
    name: str
    """`connector/tool`, or what the model wrote when no tool has that name."""

    arguments: str
    definition_digest: str
    outcome: str = ""
    result: str = ""
    structured: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A committed step: what the model said, and the calls that it asked for."""

    turn: UUID
    number: int
    text: str
    reasoning: str
    done: bool
    calls: list[Call] = field(default_factory=list[Call])


@dataclass(frozen=True, slots=True, kw_only=True)
class PastTurn:
    """An earlier turn of the thread, as the model is reminded of it."""

    id: UUID
    position: int
    input: list[dict[str, Any]]
    created: datetime
    time_zone: str
    steps: list[Step]


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRequest:
    """What a caller asks for, once checked."""

    tenant: UUID
    principal: UUID
    any_principal: bool
    """Whether the caller may use threads of others."""

    api_key: str
    thread: UUID | None
    agent: str
    inline_agent: Mapping[str, Any] | None
    input: list[dict[str, Any]]
    enqueue: bool
    time_zone: str
    metadata: Mapping[str, str]
    request_id: str
    traceparent: str


class TurnFailedError(Exception):
    """Ends the turn as FAILED.

    Attributes:
        reason: An ErrorReason's name without its prefix.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
