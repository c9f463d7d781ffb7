"""What an admission weighs: prices, limits, and what is held and settled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

MILLION = 1_000_000

# An answer that is cut shorter than this is worth no call.
LEAST_OUTPUT = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """Micro-dollars for a million tokens; cached and written ones cost `input` when None."""

    input: int
    output: int
    cached: int | None = None
    cache_write: int | None = None

    @property
    def dearest_input(self) -> int:
        """What a prompt token costs at most."""
        return max(self.input, self.cached or 0, self.cache_write or 0)

    def cost(self, used: "Usage") -> int:
        """Returns what a call cost, rounded up to a micro-dollar."""
        cached = self.input if self.cached is None else self.cached
        written = self.input if self.cache_write is None else self.cache_write
        plain = max(0, used.input - used.cached - used.written)
        sum = plain * self.input + used.cached * cached + used.written * written
        return -(-(sum + used.output * self.output) // MILLION)


FREE = Price(input=0, output=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What one call used; `input` and `output` are all tokens of their kind."""

    step: int
    call: int
    attempt: int
    kind: str
    model: str
    input: int
    cached: int
    written: int
    output: int
    reasoning: int
    estimated: bool
    own_key: bool = False
    """Whether the caller's own provider key paid for it, whatever the tariff says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A row of the ledger to be."""

    id: UUID
    usage: Usage
    cost: int
    """Micro-dollars."""

    default_price: bool
    own_key: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What one model call may use at most."""

    model: str
    input_tokens: int
    max_output_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What models cost a turn. Fixed when it is admitted."""

    prices: Mapping[str, Price] = field(default_factory=dict[str, Price])
    own_keys: frozenset[str] = frozenset()
    """Models that the caller's own provider key pays: they cost nothing here."""

    default: Price
    """What every other model costs: conservative, never nothing."""

    def of(self, model: str) -> Price:
        """Returns what a model costs."""
        if model in self.own_keys:
            return FREE
        return self.prices.get(model, self.default)

    def is_default(self, model: str) -> bool:
        """Returns whether a model costs the default, since its price is unknown."""
        return model not in self.own_keys and model not in self.prices


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Who pays for a turn, under which plan and prices, for as long as it lives."""

    turn: UUID
    tenant: UUID
    principal: UUID
    caller: UUID | None
    key: UUID | None
    agent_owner: UUID | None
    agent: str
    rate_class: str
    payer: str
    plan: str
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """So many a minute, and so many at once."""

    name: str
    """`sync`, `async`, `api` or `tokens`."""

    payer: str
    """Whose: `tenant`, or the principal's id."""

    per_minute: int
    burst: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent above a turn, and what was."""

    scope: str
    subject: str
    period: str
    limit: int
    spent: int
    resets: datetime | None

    @property
    def field(self) -> str:
        """Its name among the sums that are held."""
        return f"held:{self.scope}:{self.subject}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What Postgres says of those who ask for an admission."""

    slots: int
    """How many turns of the tenant may run at once."""

    principal_slots: int | None
    """How many of the principal may, where a personal plan says so."""

    idle: bool
    """Whether nobody in the tenant can have held a slot until now, or 3 seconds ago."""

    opens: bool
    """Whether this read was the first to find it idle, and so opens the tenant."""

    version: int
    changed: int
    settled: int
    """Which state of the account this is; see `read_standing` in the migrations."""

    plan: str
    payer: str
    rate: Rate | None
    tokens: Rate | None
    default_price: Price
    budgets: Sequence[Budget]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a call may cost."""

    price: Price
    estimate: Estimate | None
    own_key: bool = False

    @property
    def input_tokens(self) -> int:
        """The prompt's tokens."""
        return self.estimate.input_tokens if self.estimate else 0

    @property
    def most(self) -> int:
        """The most that is answered."""
        return self.estimate.max_output_tokens if self.estimate else 0

    @property
    def input_cost(self) -> int:
        """What the prompt costs at most, in micro-dollars."""
        return -(-self.input_tokens * self.price.dearest_input // MILLION)

    @property
    def floor(self) -> int:
        """What must be left of every budget at least: one may not be spent."""
        return 0 if self.own_key else 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What the script granted for a call."""

    output: int
    clamped: bool
    hold: int
    """What the call's admission, or the whole turn, holds, in micro-dollars."""

    parts: Mapping[str, str]
    """What is open of it, for the receipt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a turn holds, as its holder brings it back."""

    turn: UUID
    tenant: UUID
    principal: UUID
    key: UUID | None
    agent: str
    parts: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """An admission, or an extension."""

    snapshot: Snapshot
    held: Held
    ask: Ask
    default_price: bool
    receipt: Receipt | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What one gate says."""

    gate: str
    reason: str
    detail: str
    metadata: Mapping[str, str]
    retry_after_ms: int = 0
