"""Gatekeeper's values, and the errors that it answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import grpc

from turnpike.rpc.errors import NotFoundError, ServiceError, UnauthenticatedError

NOBODY = UUID(int=0)
"""The id that nothing has: what an id that is no UUID stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """One customer."""

    id: UUID
    name: str
    slots: int
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """A person or a program that acts in a tenant."""

    id: UUID
    tenant: UUID
    name: str
    role: str
    kind: str
    """`person` or `service`."""

    email: str | None
    """Verified, and normalised as bans are."""

    issuer: str | None
    """The `iss` of who vouches for a person."""

    created: datetime
    removed: datetime | None
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """What opens the suite to a principal; the key itself is not in it."""

    id: UUID
    name: str
    principal: Principal
    created: datetime
    expires: datetime | None
    revoked: datetime | None
    scopes: tuple[str, ...]
    """What it opens of what the role allows; none means all of it."""

    prefix: str
    last_used: datetime | None
    rotated: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a ban names."""

    kind: str
    """`principal`, `email`, `domain` or `key`."""

    value: str
    """An id, an e-mail address or a domain, the latter two normalised."""

    def __str__(self) -> str:
        """Returns it as the store compares it."""
        return f"{self.kind}:{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ban:
    """Keeps somebody out of a tenant, or of every tenant."""

    id: UUID
    subject: Subject
    platform: bool
    note: str
    created: datetime
    expires: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Revocation:
    """Ends what was issued to a key, or to all keys of a principal."""

    id: int
    tenant: UUID
    principal: UUID
    key: UUID | None
    revoked: datetime
    generation: int
    """Not 0: it ends only tokens of a lower generation, whose holders may ask anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A turn, from an admission to the next pause."""

    turn: UUID
    tenant: UUID
    principal: UUID
    key: UUID | None
    agent_owner: UUID | None
    attempt: int
    number: int
    caller: UUID | None = None
    agent: str = ""
    rate_class: str = "sync"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """That a segment was not admitted."""

    segment: Segment
    reason: str
    details: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningTurn:
    """A turn that holds a slot."""

    turn: UUID
    tenant: UUID
    principal: UUID
    key: UUID | None
    agent_owner: UUID | None
    caller: UUID | None = None
    segment: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTenant:
    """A tenant just made, and the key that opens it."""

    tenant: Tenant
    key: ApiKey
    secret: str


class UnknownCredentialError(UnauthenticatedError):
    """The API key is unknown, expired or revoked: which one is nobody's business.

    Or a token is not one to be believed.
    """

    def __init__(self) -> None:
        super().__init__("the credential is not valid")


class MissingError(NotFoundError):
    """There is no such thing in the caller's tenant."""

    def __init__(self, kind: str, id: str | UUID) -> None:
        super().__init__(f"there is no {kind} {str(id)!r}", kind=kind, id=str(id))


class NameTakenError(ServiceError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "CONFLICT"

    def __init__(self, kind: str, name: str) -> None:
        super().__init__(f"a {kind} {name!r} exists already", kind=kind, name=name)


class StateError(ServiceError):
    """The state of something does not allow what was asked."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "CONFLICT"
