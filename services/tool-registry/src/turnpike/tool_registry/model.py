"""What the registry deals in."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

KNOWLEDGE = "builtin:knowledge"
"""The address of the connector to the tenant's own documents."""

KNOWLEDGE_NAME = "knowledge"
"""What that connector is called where nobody made it."""


class Transport(StrEnum):
    """How an MCP server is spoken to."""

    HTTP = "HTTP"
    SSE = "SSE"
    STDIO = "STDIO"


class ConnectorState(StrEnum):
    """How a connector fares."""

    UNKNOWN = ""
    OK = "OK"
    DEGRADED = "DEGRADED"
    NEEDS_AUTH = "NEEDS_AUTH"
    DISABLED = "DISABLED"


class Fault(StrEnum):
    """What keeps a server from being spoken to."""

    NONE = ""
    DNS = "DNS"
    ADDRESS_REFUSED = "ADDRESS_REFUSED"
    CONNECTION_REFUSED = "CONNECTION_REFUSED"
    CONNECTION_LOST = "CONNECTION_LOST"
    TLS = "TLS"
    TIMEOUT = "TIMEOUT"
    HTTP_STATUS = "HTTP_STATUS"
    AUTH_NEEDED = "AUTH_NEEDED"
    FORBIDDEN = "FORBIDDEN"
    NOT_MCP = "NOT_MCP"
    VERSION = "VERSION"
    TOO_LARGE = "TOO_LARGE"
    COMMAND = "COMMAND"
    CREDENTIAL = "CREDENTIAL"
    VARIABLE = "VARIABLE"
    SERVER_ERROR = "SERVER_ERROR"


class Warn(StrEnum):
    """What is to be said of a connector's list of tools."""

    TOO_MANY_TOOLS = "TOO_MANY_TOOLS"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    TOO_MANY_BYTES = "TOO_MANY_BYTES"
    TOOLS_LEFT_OUT = "TOOLS_LEFT_OUT"
    TOOLS_QUARANTINED = "TOOLS_QUARANTINED"


class Change(StrEnum):
    """What a request did to a connector."""

    CREATED = "CREATED"
    CHANGED = "CHANGED"
    UNCHANGED = "UNCHANGED"


class ToolState(StrEnum):
    """Whether a tool can be called."""

    OK = "OK"
    INVALID = "INVALID"
    QUARANTINED = "QUARANTINED"
    DISABLED = "DISABLED"


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
    requester: str = ""
    """The principal for whom a built-in connector is called."""

    serial: int = 0
    """Raised by each renewal of the credential among the headers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """A connector as its owner wants it."""

    endpoint: Endpoint
    owner: str = ""
    """The principal whose it is; empty for the tenant's."""

    enabled: bool = True
    personal: bool = False
    """Whether each call needs the requester's own credential."""

    distrusted: bool = False
    """Whether what its tools say about effects counts for nothing."""

    @property
    def place(self) -> tuple[Transport, str, tuple[str, ...]]:
        """Where the server is: at another place is another server."""
        return self.endpoint.transport, self.endpoint.url, self.endpoint.command


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """An MCP server as callers see it: without its secrets."""

    name: str
    owner: str
    enabled: bool
    personal: bool
    distrusted: bool
    fault: Fault
    warnings: tuple[str, ...]
    discover_time: datetime | None
    transport: Transport
    url: str
    command: tuple[str, ...]
    header_names: tuple[str, ...]
    env_names: tuple[str, ...]
    variables: tuple[str, ...]
    """Which it names."""

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
    drift: tuple[str, ...] = ()
    """How it differs from what was approved."""

    flags: tuple[str, ...] = ()
    """What is odd about its text."""

    renamed_from: str = ""

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
    conversation: str = ""
    """Whose session with the server the call may use."""

    seen_after: datetime | None = None
    """The definition must have been seen at the server since."""

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
    principal: str
    conversation: str
    generation: int
    task: str
    resolved_by: str
    executor: UUID | None
    attempt: int
    repeatable: bool
    status: CallStatus
    result: str
    structured: str
    reason: str
    traceparent: str
    answers: str
    """What persons gave that its server asked for: a JSON object, or nothing."""

    seconds_left: float
    """Until its deadline, when the row was read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What a person says of a call whose outcome is unknown."""

    tenant: UUID
    turn: UUID
    fence: int
    step: int
    ordinal: int
    generation: int
    """The call's, when the person looked at it."""

    verdict: str
    """`DONE`, `NOT_DONE` or `RUN_AGAIN`."""

    text: str
    by: str
    timeout_seconds: float

    @property
    def effect(self) -> str:
        """The effect's id."""
        return f"{self.turn}:{self.step}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person gives to one need of a call."""

    key: str
    action: str
    """`accept`, `decline` or `cancel`."""

    content: str
    """A JSON object, or nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a person gives to a call that waits for it."""

    tenant: UUID
    turn: UUID
    fence: int
    step: int
    ordinal: int
    generation: int
    """The call's, when the person looked at it."""

    answers: tuple[Answer, ...]
    by: str
    timeout_seconds: float

    @property
    def effect(self) -> str:
        """The effect's id."""
        return f"{self.turn}:{self.step}:{self.ordinal}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a call ended."""

    status: CallStatus
    reason: str = ""
    result: str = ""
    structured: str = ""
