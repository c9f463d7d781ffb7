"""Connectors and tools as messages."""

from typing import Any

from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.tool_registry.credentials import SHARED, Credential
from turnpike.tool_registry.model import (
    Call,
    CallStatus,
    Connector,
    ConnectorState,
    Endpoint,
    Fault,
    Spec,
    Transport,
)
from turnpike.tool_registry.needs import Need, needs_of
from turnpike.tool_registry.offers import ListedTool
from turnpike.tool_registry.probing import Probe
from turnpike.tool_registry.reviews import Review
from turnpike.tool_registry.sign_ins import SignIn

_TRANSPORTS = {
    tool_pb2.TRANSPORT_HTTP: Transport.HTTP,
    tool_pb2.TRANSPORT_STDIO: Transport.STDIO,
    tool_pb2.TRANSPORT_SSE: Transport.SSE,
}
_WIRE_TRANSPORTS = {transport: wire for wire, transport in _TRANSPORTS.items()}
_STATES = {
    ConnectorState.UNKNOWN: tool_pb2.CONNECTOR_STATE_UNSPECIFIED,
    ConnectorState.OK: tool_pb2.CONNECTOR_STATE_OK,
    ConnectorState.DEGRADED: tool_pb2.CONNECTOR_STATE_DEGRADED,
    ConnectorState.NEEDS_AUTH: tool_pb2.CONNECTOR_STATE_NEEDS_AUTH,
    ConnectorState.DISABLED: tool_pb2.CONNECTOR_STATE_DISABLED,
}

_SIGN_IN_STATES = {
    "PENDING": tool_pb2.SIGN_IN_STATE_PENDING,
    "EXCHANGING": tool_pb2.SIGN_IN_STATE_PENDING,
    "DONE": tool_pb2.SIGN_IN_STATE_DONE,
    "FAILED": tool_pb2.SIGN_IN_STATE_FAILED,
}

_CALL_STATUSES = {
    CallStatus.PENDING: tool_pb2.CALL_STATUS_PENDING,
    CallStatus.DISPATCHED: tool_pb2.CALL_STATUS_DISPATCHED,
    CallStatus.SUCCEEDED: tool_pb2.CALL_STATUS_SUCCEEDED,
    CallStatus.FAILED: tool_pb2.CALL_STATUS_FAILED,
    CallStatus.CANCELLED: tool_pb2.CALL_STATUS_CANCELLED,
    CallStatus.UNKNOWN: tool_pb2.CALL_STATUS_UNKNOWN,
}


def to_spec(connector: tool_pb2.Connector) -> Spec:
    """Returns what a message asks for."""
    return Spec(
        endpoint=Endpoint(
            transport=_TRANSPORTS[connector.transport],
            url=connector.url,
            command=tuple(connector.command),
            headers=dict(connector.headers),
            env=dict(connector.env),
        ),
        owner=connector.owner,
        enabled=not connector.disabled,
        personal=connector.personal_credentials,
        distrusted=connector.distrust_annotations,
    )


def connector_to_wire(connector: Connector) -> tool_pb2.Connector:
    """Returns a connector as a message."""
    return tool_pb2.Connector(
        name=connector.name,
        transport=_WIRE_TRANSPORTS[connector.transport],
        url=connector.url,
        command=connector.command,
        header_names=connector.header_names,
        env_names=connector.env_names,
        state=_STATES[connector.state],
        state_reason=connector.state_reason,
        etag=connector.etag,
        create_time=connector.create_time,
        update_time=connector.update_time,
        owner=connector.owner,
        disabled=not connector.enabled,
        personal_credentials=connector.personal,
        distrust_annotations=connector.distrusted,
        fault=_fault(connector.fault),
        warnings=_warnings(connector.warnings),
        discover_time=connector.discover_time,
    )


def tool_to_wire(listed: ListedTool) -> tool_pb2.Tool:
    """Returns a tool as a message."""
    definition = listed.definition
    return tool_pb2.Tool(
        name=listed.full_name,
        description=definition.description,
        input_schema=definition.input_schema_text,
        annotations=definition.annotations_text,
        digest=listed.digest,
        state=listed.state.value,
        alias=listed.alias,
        annotations_trusted=listed.trusted,
        drift=listed.drift,
        flags=listed.flags,
        renamed_from=listed.renamed_from,
        connector_identity=listed.identity,
    )


def credential_to_wire(credential: Credential) -> tool_pb2.Credential:
    """Returns a credential as a message, without its secrets."""
    return tool_pb2.Credential(
        connector=credential.connector,
        principal=credential.principal,
        header_names=credential.header_names,
        update_time=credential.update_time,
        issuer=credential.issuer,
        scope=credential.scope,
        expire_time=credential.expire_time,
        refusal=credential.refusal,
    )


def sign_in_to_wire(sign_in: SignIn) -> tool_pb2.SignIn:
    """Returns a sign-in as a message."""
    return tool_pb2.SignIn(
        id=str(sign_in.id),
        connector=sign_in.connector,
        shared=sign_in.owner == SHARED,
        state=_SIGN_IN_STATES[sign_in.status],
        reason=sign_in.reason,
        message=sign_in.message,
        expire_time=sign_in.expire_time,
        issuer=sign_in.issuer,
    )


def probe_to_wire(probe: Probe) -> tool_pb2.Probe:
    """Returns a probe as a message."""
    return tool_pb2.Probe(
        fault=_fault(probe.fault),
        message=probe.message,
        seconds=probe.seconds,
        protocol_version=probe.protocol_version,
        server_name=probe.server_name,
        server_version=probe.server_version,
        tools=probe.tools,
        warnings=_warnings(probe.warnings),
    )


def review_to_wire(review: Review) -> tool_pb2.Review:
    """Returns a review as a message."""
    tool = review.tool
    return tool_pb2.Review(
        tool=tool.full_name,
        digest=tool.digest,
        approved_digest=review.approved_digest,
        drift=tool.drift,
        flags=tool.flags,
        renamed_from=tool.renamed_from,
        diff=review.diff,
    )


def call_to_wire(call: Call) -> tool_pb2.Call:
    """Returns a call as a message."""
    return tool_pb2.Call(
        effect=call.effect,
        status=_CALL_STATUSES[call.status],
        result=call.result,
        structured=call.structured,
        reason=call.reason,
        generation=call.generation,
        task=call.task,
        resolved_by=call.resolved_by,
        needs=[_need_to_wire(need) for need in needs_of(call)],
    )


def _need_to_wire(need: Need) -> tool_pb2.Need:
    return tool_pb2.Need(
        kind=f"NEED_KIND_{need.kind.value}",
        key=need.key,
        message=need.message,
        schema=need.schema,
        url=need.url,
        connector=need.connector,
        request=need.request,
    )


def _fault(fault: Fault) -> Any:
    return tool_pb2.Fault.Value(f"FAULT_{fault.value or 'UNSPECIFIED'}")


def _warnings(warnings: tuple[str, ...]) -> list[Any]:
    return [tool_pb2.Warning.Value(f"WARNING_{warning}") for warning in warnings]
