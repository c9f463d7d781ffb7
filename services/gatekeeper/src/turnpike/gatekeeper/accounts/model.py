"""The values of accounts, and the errors that changing them raises."""

from dataclasses import astuple, dataclass, fields
from datetime import datetime
from hashlib import blake2b
from typing import Protocol
from uuid import UUID

import grpc

from turnpike.gatekeeper.model import MissingError
from turnpike.rpc.errors import EtagMismatchError, ServiceError

TIERS = ("free", "pro", "team", "enterprise")
PERIODS = ("day", "month", "total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of use. None is no limit in a plan, and the plan's in overrides."""

    sync_per_minute: int | None = None
    sync_burst: int | None = None
    async_per_minute: int | None = None
    async_burst: int | None = None
    api_per_minute: int | None = None
    api_burst: int | None = None
    tokens_per_minute: int | None = None
    tokens_burst: int | None = None
    slots: int | None = None
    monthly_limit_micro_usd: int | None = None

    @property
    def bursts_without_rate(self) -> list[str]:
        """The bursts whose rate is not given."""
        bursts = (field.name for field in fields(self) if field.name.endswith("_burst"))
        return [
            name
            for name in bursts
            if getattr(self, name) is not None
            and getattr(self, name.replace("burst", "per_minute")) is None
        ]


LIMITS = tuple(field.name for field in fields(Limits))
"""What limits there are: as the tables name them, and the messages."""


class Tagged(Protocol):
    """Something that is replaced as a whole."""

    @property
    def content(self) -> tuple[object, ...]:
        """What a caller may change of it."""
        ...


def etag_of(thing: Tagged) -> str:
    """Returns the tag that tells one content from another."""
    return blake2b(repr(thing.content).encode(), digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is offered to tenants and people."""

    name: str
    tier: str
    limits: Limits
    created: datetime | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What a caller may change of it."""
        return (self.name, self.tier, *astuple(self.limits))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """Puts a tenant, or one person in it, on a plan."""

    tenant: UUID
    principal: UUID | None
    plan: str
    status: str
    starts: datetime | None
    """None where it shall start now."""

    ends: datetime | None
    id: UUID | None = None
    created: datetime | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What a caller may change of it."""
        return (self.tenant, self.principal, self.plan, self.status, self.starts, self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Overrides:
    """What a tenant has instead of its plan's."""

    tenant: UUID
    limits: Limits
    default_input_price: int | None = None
    default_output_price: int | None = None

    @property
    def content(self) -> tuple[object, ...]:
        """What a caller may change of it."""
        prices = (self.default_input_price, self.default_output_price)
        return (self.tenant, *astuple(self.limits), *prices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What may be spent by somebody in each period."""

    scope: str
    subject: str
    period: str
    limit_micro_usd: int
    spent_micro_usd: int = 0
    resets: datetime | None = None
    created: datetime | None = None

    @property
    def name(self) -> str:
        """Returns whose and when: `agent.helper.month`."""
        return ".".join(part for part in (self.scope, self.subject, self.period) if part)

    @property
    def content(self) -> tuple[object, ...]:
        """What a caller may change of it."""
        return (self.name, self.limit_micro_usd)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldLimits:
    """The limits that hold for somebody."""

    plan: str
    """Empty where none is in force."""

    tier: str
    personal: bool
    limits: Limits
    default_input_price: int | None
    default_output_price: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedTry:
    """A try at admission that was not let in."""

    turn: UUID
    attempt: int
    segment: int
    principal: UUID
    agent: str
    reason: str
    details: dict[str, str]
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms something is to be changed."""

    etag: str = ""
    """What its tag must be; empty does not ask."""

    allow_missing: bool = False
    """Whether to create it where there is none."""

    validate_only: bool = False
    """Whether to change nothing after all."""


def weigh(kind: str, id: str, current: Tagged | None, wished: Tagged, terms: Terms) -> str:
    """Returns what a change would do: CREATED, CHANGED or UNCHANGED.

    Raises:
        MissingError: There is nothing to change.
        EtagMismatchError: It is not what the caller has read.
    """
    if current is None and terms.allow_missing and not terms.etag:
        return "CREATED"
    current = require(kind, id, current, terms.etag)
    return "UNCHANGED" if current.content == wished.content else "CHANGED"


def require(kind: str, id: str, current: Tagged | None, etag: str) -> Tagged:
    """Returns what is there.

    Raises:
        MissingError: Nothing is.
        EtagMismatchError: It is not what the caller has read.
    """
    if current is None:
        raise MissingError(kind, id)
    if etag and etag != etag_of(current):
        raise EtagMismatchError(etag_of(current))
    return current


class InUseError(ServiceError):
    """Something else names it."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "IN_USE"

    def __init__(self, kind: str, id: str) -> None:
        super().__init__(f"the {kind} {id!r} is or was subscribed to", kind=kind, id=id)
