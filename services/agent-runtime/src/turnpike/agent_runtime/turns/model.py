"""What a turn is, without any I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

_MICRO = 1_000_000
TERMINAL = frozenset({"COMPLETED", "FAILED", "CANCELLED", "EXPIRED", "REFUSED"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Tokens and money."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    """Of the output."""

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
class Rate:
    """What a model's tokens are charged at: millionths of a US dollar for a million."""

    input: int
    output: int
    cached: int
    cache_write: int
    default: bool = False
    """The model's own prices are unknown: it is the tenant's default."""

    def cost(self, usage: Usage) -> int:
        """Returns what tokens cost in micro-dollars, rounded up: what was used is never free."""
        plain = usage.input_tokens - usage.cached_tokens - usage.cache_write_tokens
        million_fold = (
            plain * self.input
            + usage.cached_tokens * self.cached
            + usage.cache_write_tokens * self.cache_write
            + usage.output_tokens * self.output
        )
        return -(-million_fold // _MICRO)

    def priced(self, usage: Usage) -> Usage:
        """Returns usage with what it costs: whatever was said, no more was cached than sent."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        plausible = replace(usage, cached_tokens=cached, cache_write_tokens=written)
        return replace(plausible, cost_micro_usd=self.cost(plausible))


FREE = Rate(input=0, output=0, cached=0, cache_write=0)
"""Of a turn that was never admitted: it has used nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spend:
    """What one model call used, as the ledger is told of it."""

    step: int
    attempt: int
    """Which try at the step's model call it was, from 1."""

    model: str
    usage: Usage
    estimated: bool = False
    """Reckoned, not reported: the call was cut, or its owner died."""

    default_prices: bool = False
    call: int = 0
    """0 is the model call; what else a step is billed for counts from 1."""

    kind: str = "CHAT"
    """`CHAT`, or `INTERNAL` for what the platform asks for itself."""

    own_key: bool = False
    """Whether a key of one's own paid for it, whatever the model costs else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a turn stands with gatekeeper. Never shown."""

    segment: int = 1
    """The segment that runs, or is to be admitted next: from an admission to the next pause."""

    admitted: int = 0
    """The last segment that was admitted, and is known to be."""

    snapshot: bytes = b""
    """Who pays, under which plan and prices: signed, and gatekeeper's own."""

    rates: Mapping[str, Rate] = field(default_factory=dict[str, Rate])
    """What was granted, by model."""

    paid_step: int = 0
    paid_attempts: int = 0
    """Tries at the model call of `paid_step` that were voided and settled."""

    @property
    def is_admitted(self) -> bool:
        """Whether the segment is admitted; else it is to be, whoever claims the turn."""
        return self.admitted >= self.segment

    def attempts(self, step: int) -> int:
        """Returns how many tries at a step's model call are accounted for already."""
        return self.paid_attempts if self.paid_step == step else 0


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
    standing: Standing = field(default_factory=Standing)
    """Read by claims alone."""

    waits_step: int = 0
    """The step that waited for a provider last; read by claims alone."""

    admission_reason: str = ""
    """Why it last had to wait for admission; read by claims alone."""

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
    wrapping: str = ""
    """What the model wrote to have it called, verbatim; empty where it called the tool itself."""

    outcome: str = ""
    result: str = ""
    structured: str = ""
    judged: Mapping[str, str] = field(default_factory=dict[str, str])
    """By what policy it ran, or did not, for the audit; empty until it was judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A committed step: what the model said, and the calls that it asked for."""

    turn: UUID
    number: int
    text: str
    reasoning: str
    thoughts: str = ""
    """The reasoning that its provider signed, as it wants it back; empty for none."""

    done: bool
    tokens: int = 0
    """What a prompt that ends with this reply has at most; 0 when nobody knows."""

    calls: list[Call] = field(default_factory=list[Call])


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model said in one step."""

    step: int
    text: str
    reasoning: str
    spend: Spend
    thoughts: str = ""
    """The reasoning that its provider signed: kept as a text, so that each byte stays."""

    tokens: int = 0
    """What a prompt that ends with this reply has at most; 0 when nobody knows."""

    @property
    def usage(self) -> Usage:
        """What the model call used."""
        return self.spend.usage

    @property
    def paid(self) -> list[Spend]:
        """What the ledger is told of: nothing where no model was asked."""
        return [self.spend] if self.spend.model else []

    def as_json(self, calls: Sequence[Call] = ()) -> str:
        """Returns what is stored of it, with how it asked for its calls."""
        wrapped = {str(call.ordinal): call.wrapping for call in calls if call.wrapping}
        return orjson.dumps(
            {
                "text": self.text,
                "reasoning": self.reasoning,
                "thoughts": self.thoughts,
                "tokens": self.tokens,
                **({"wrapped": wrapped} if wrapped else {}),
            }
        ).decode()


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
    asks_model: bool
    """Whether a model answers; else the turn is the one call that its input is."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """A row of the outbox: what one commit used, or the end of a segment, or both."""

    id: int
    tenant: UUID
    turn: UUID
    segment: int
    snapshot: bytes | None
    entries: list[dict[str, Any]]
    ends: bool
    tries: int
    of_segment: int
    """How many rows its segment has, this one included."""
