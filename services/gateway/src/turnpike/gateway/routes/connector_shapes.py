"""Connectors as callers write and read them."""

from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints

from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.routes.replies import time_of
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

ConnectorName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
Secrets = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=256)],
        Annotated[Text, Field(max_length=8192)],
    ],
    Field(max_length=64),
]
Transport = Literal["http", "sse", "stdio"]
State = Literal["UNKNOWN", "OK", "DEGRADED", "NEEDS_AUTH", "DISABLED"]

_TRANSPORTS: dict[Transport, tool_pb2.Transport] = {
    "http": tool_pb2.TRANSPORT_HTTP,
    "stdio": tool_pb2.TRANSPORT_STDIO,
    "sse": tool_pb2.TRANSPORT_SSE,
}
_TRANSPORT_NAMES: dict[int, Transport] = {value: name for name, value in _TRANSPORTS.items()}
_STATES: dict[int, State] = {
    tool_pb2.CONNECTOR_STATE_UNSPECIFIED: "UNKNOWN",
    tool_pb2.CONNECTOR_STATE_OK: "OK",
    tool_pb2.CONNECTOR_STATE_DEGRADED: "DEGRADED",
    tool_pb2.CONNECTOR_STATE_NEEDS_AUTH: "NEEDS_AUTH",
    tool_pb2.CONNECTOR_STATE_DISABLED: "DISABLED",
}


class ConnectorSpec(Request):
    """How an MCP server is spoken to."""

    transport: Transport
    url: Annotated[Text, Field(max_length=2000)] = ""
    command: Annotated[list[Annotated[Text, Field(max_length=4096)]], Field(max_length=64)] = Field(
        default=[]
    )
    headers: Secrets = Field(default={}, description="An empty value keeps the stored one.")
    env: Secrets = Field(default={}, description="An empty value keeps the stored one.")
    owner: Annotated[Text, Field(max_length=64)] = Field(
        default="", description="A principal's id; empty for the tenant's."
    )
    enabled: bool = True
    personal_credentials: bool = Field(
        default=False, description="Each call needs a credential of its requester's own."
    )
    distrust_annotations: bool = Field(
        default=False, description="What its tools say about effects counts for nothing."
    )


class ProbedConnector(ConnectorSpec):
    """A connector to try out."""

    name: ConnectorName = "probe"


class NewConnector(ConnectorSpec):
    """A connector to create."""

    name: ConnectorName


class ChangedConnector(ConnectorSpec):
    """A connector as it shall be."""

    name: ConnectorName | None = None


class Probe(Reply):
    """What came of trying a connector out."""

    ok: bool
    fault: str = Field(description="What is wrong, for machines; empty when nothing is.")
    message: str
    seconds: float
    protocol_version: str
    server_name: str
    server_version: str
    tools: int
    warnings: list[str]


class Connector(Reply):
    """An MCP server; the values of its headers and environment are never shown."""

    name: str
    transport: Transport
    url: str
    command: list[str]
    header_names: list[str]
    env_names: list[str]
    owner: str
    enabled: bool
    personal_credentials: bool
    distrust_annotations: bool
    state: State
    state_reason: str
    fault: str
    warnings: list[str]
    etag: str
    created: Time
    updated: Time
    discovered: Time | None
    probe: Probe | None = None


class ConnectorPage(Reply):
    """A page of connectors, by name."""

    connectors: list[Connector]
    next_page_token: str


def to_message(name: str, spec: ConnectorSpec) -> tool_pb2.Connector:
    """Returns what a body asks for."""
    return tool_pb2.Connector(
        name=name,
        transport=_TRANSPORTS[spec.transport],
        url=spec.url,
        command=spec.command,
        headers=spec.headers,
        env=spec.env,
        owner=spec.owner,
        disabled=not spec.enabled,
        personal_credentials=spec.personal_credentials,
        distrust_annotations=spec.distrust_annotations,
    )


def to_connector(connector: tool_pb2.Connector) -> Connector:
    """Returns a message as a reply."""
    return Connector(
        name=connector.name,
        transport=_TRANSPORT_NAMES[connector.transport],
        url=connector.url,
        command=list(connector.command),
        header_names=list(connector.header_names),
        env_names=list(connector.env_names),
        owner=connector.owner,
        enabled=not connector.disabled,
        personal_credentials=connector.personal_credentials,
        distrust_annotations=connector.distrust_annotations,
        fault=_fault(connector.fault),
        warnings=_warnings(connector.warnings),
        discovered=time_of(connector, "discover_time"),
        state=_STATES.get(connector.state, "UNKNOWN"),
        state_reason=connector.state_reason,
        etag=connector.etag,
        created=rfc3339(connector.create_time),
        updated=rfc3339(connector.update_time),
    )


def to_probe(probe: tool_pb2.Probe) -> Probe:
    """Returns a message as a reply."""
    return Probe(
        ok=probe.fault == tool_pb2.FAULT_UNSPECIFIED,
        fault=_fault(probe.fault),
        message=probe.message,
        seconds=probe.seconds,
        protocol_version=probe.protocol_version,
        server_name=probe.server_name,
        server_version=probe.server_version,
        tools=probe.tools,
        warnings=_warnings(probe.warnings),
    )


def _fault(fault: Any) -> str:
    if fault == tool_pb2.FAULT_UNSPECIFIED:
        return ""
    return tool_pb2.Fault.Name(fault).removeprefix("FAULT_")


def _warnings(warnings: Iterable[Any]) -> list[str]:
    return [tool_pb2.Warning.Name(each).removeprefix("WARNING_") for each in warnings]
