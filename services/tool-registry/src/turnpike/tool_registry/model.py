"""What the registry deals in, and the errors its callers may see."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import grpc

from turnpike.api.tool_registry.v1.error_reason_pb2 import ErrorReason
from turnpike.rpc.errors import NotFoundError, ServiceError

_PREFIX = "ERROR_REASON_"


class Transport(StrEnum):
    """How an MCP server is spoken to."""

    HTTP = "HTTP"
    STDIO = "STDIO"


class ConnectorState(StrEnum):
    """How a connector fares."""

    UNKNOWN = ""
    OK = "OK"
    DEGRADED = "DEGRADED"


class Change(StrEnum):
    """What a request did to a connector."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"


class ToolState(StrEnum):
    """Whether a tool can be called."""

    OK = "OK"
    INVALID = "INVALID"


class CallStatus(StrEnum):
    """Where a call stands in the effect ledger."""

    PENDING = "PENDING"
    DISPATCHED = "DISPATCHED"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"

    @property
    def is_final(self) -> bool:
        """Whether the call is over."""
        return self not in (CallStatus.PENDING, CallStatus.DISPATCHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where an MCP server is, and what it is given; holds plain secrets."""

    transport: Transport
    url: str = ""
    command: tuple[str, ...] = ()
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)
    env: dict[str, str] = field(default_factory=dict[str, str], repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An MCP server as callers see it: without its secrets."""

    name: str
    transport: Transport
    url: str
    command: tuple[str, ...]
    header_names: tuple[str, ...]
    env_names: tuple[str, ...]
    state: ConnectorState
    state_reason: str
    etag: str
    generation: int
    create_time: datetime
    update_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One thing that a connector can do."""

    connector: str
    name: str
    definition: str
    digest: str
    state: ToolState

    @property
    def full_name(self) -> str:
        """`connector/tool`."""
        return f"{self.connector}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRequest:
    """A call as its turn asks for it."""

    tenant: UUID
    turn: UUID
    fence: int
    step: int
    ordinal: int
    tool: str
    arguments: str
    definition_digest: str
    timeout_seconds: float
    principal: str
    traceparent: str

    @property
    def effect(self) -> str:
        """The effect's id."""
        return f"{self.turn}:{self.step}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One row of the effect ledger."""

    tenant: UUID
    effect: str
    tool: str
    arguments: str
    definition_digest: str
    executor: UUID | None
    attempt: int
    repeatable: bool
    status: CallStatus
    result: str
    structured: str
    reason: str
    traceparent: str
    seconds_left: float
    """Until its deadline, when the row was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended."""

    status: CallStatus
    reason: str = ""
    result: str = ""
    structured: str = ""


class ConnectorNotFoundError(NotFoundError):
    """There is no such connector in the caller's tenant."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no connector {name!r}", kind="connector", id=name)


class ConnectorExistsError(ServiceError):
    """The name is taken."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_CONFLICT).removeprefix(_PREFIX)

    def __init__(self, name: str) -> None:
        super().__init__(f"there is a connector {name!r} already", kind="connector", id=name)


class EtagMismatchError(ServiceError):
    """The etag is not the current one."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_ETAG_MISMATCH).removeprefix(_PREFIX)

    def __init__(self, etag: str) -> None:
        super().__init__(f"the connector's etag is {etag!r} by now", etag=etag)


class FenceStaleError(ServiceError):
    """A newer claim of the turn is known."""

    code = grpc.StatusCode.ABORTED
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_FENCE_STALE).removeprefix(_PREFIX)

    def __init__(self, turn: UUID, known: int) -> None:
        super().__init__(f"the turn is at fence {known}", turn=str(turn), fence=str(known))


class EffectMismatchError(ServiceError):
    """The effect's id stands for another call."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = ErrorReason.Name(ErrorReason.ERROR_REASON_EFFECT_MISMATCH).removeprefix(_PREFIX)

    def __init__(self, effect: str) -> None:
        super().__init__(
            f"the effect {effect!r} is another call: its tool, definition or arguments differ",
            effect=effect,
        )
