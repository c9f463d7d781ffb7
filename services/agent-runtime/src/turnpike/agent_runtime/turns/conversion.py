"""Turns on the wire."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from turnpike.agent_runtime.agents.conversion import spec_from_proto
from turnpike.agent_runtime.callers import person
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.events.fold import Folded
from turnpike.agent_runtime.turns.invocation import NO_VERSION, Invocation
from turnpike.agent_runtime.turns.model import StartRequest, Turn
from turnpike.agent_runtime.turns.stating import usage_to_proto
from turnpike.api.agent_runtime.v1 import turn_pb2, turn_service_pb2
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller
from turnpike.telemetry import traceparent


def identifier(kind: str, text: str) -> UUID:
    """Returns the id in `text`; what is no id names nothing."""
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError(kind, text) from None


def start_from_proto(request: turn_service_pb2.StartTurnRequest, caller: Caller) -> StartRequest:
    """Returns what a caller asks for, or raises `InvalidArgumentError`."""
    _check_time_zone(request.time_zone)
    inline = None
    if request.HasField("inline_agent"):
        inline = spec_from_proto(request.inline_agent, "inline_agent").as_dict()
    asking = person(caller)
    invocation = _invocation(request) if request.HasField("call") else None
    return StartRequest(
        tenant=asking.tenant,
        principal=asking.principal,
        any_principal=asking.is_admin,
        api_key=caller.key,
        thread=identifier("thread", request.thread) if request.thread else None,
        agent=request.agent,
        inline_agent=inline,
        input=invocation.input if invocation else _said(request),
        asks_model=invocation is None,
        enqueue=request.on_busy == turn_service_pb2.ON_BUSY_ENQUEUE,
        time_zone=request.time_zone,
        metadata=dict(request.metadata),
        request_id=request.request_id,
        traceparent=traceparent(),
    )


def turn_to_proto(turn: Turn, folded: Folded | None, caller: Caller) -> turn_pb2.Turn:
    """Returns a turn as the caller may see it.

    What is folded is at number `seq`; without it the row is, as committed.
    """
    wire = turn_pb2.Turn(
        id=str(turn.id),
        thread=str(turn.thread),
        status=f"TURN_STATUS_{turn.status}",
        waiting_for=turn.waiting_for,
        agent=turn.agent,
        agent_version="" if turn.agent_version == NO_VERSION else str(turn.agent_version),
        seq=folded.seq if folded else turn.committed_seq,
        text=folded.text if folded and not turn.ended else turn.answer,
        usage=folded.usage if folded else usage_to_proto(turn.usage),
        create_time=turn.created,
        finish_time=turn.finished,
        metadata=dict(turn.metadata),
    )
    if folded:
        wire.calls.extend(folded.calls.values())
        if folded.approval is not None:
            wire.approval.CopyFrom(folded.approval)
            wire.approval.turn, wire.approval.thread = wire.id, wire.thread
    if turn.error_reason:
        wire.error.CopyFrom(
            turn_pb2.TurnError(reason=turn.error_reason, message=turn.error_message)
        )
    if person(caller).is_admin:
        wire.owner, wire.fence = turn.owner_name, turn.fence
    return wire


def statuses_from_proto(statuses: Sequence[turn_pb2.TurnStatus.ValueType]) -> list[str]:
    """Returns the names of statuses."""
    return [turn_pb2.TurnStatus.Name(each).removeprefix("TURN_STATUS_") for each in statuses]


def _said(request: turn_service_pb2.StartTurnRequest) -> list[dict[str, Any]]:
    if not request.input:
        raise InvalidArgumentError("input", "say something")
    return [_part(part) for part in request.input]


def _part(part: turn_service_pb2.ContentPart) -> dict[str, Any]:
    if part.HasField("file"):
        return {"type": "image" if part.file.image else "file", "file": part.file.file}
    return {"type": "text", "text": part.text.replace("\0", "")}


def _invocation(request: turn_service_pb2.StartTurnRequest) -> Invocation:
    if request.thread:
        raise InvalidArgumentError("thread", "a turn of one call has a thread of its own")
    if request.input:
        raise InvalidArgumentError("input", "a turn of one call is told nothing")
    call = request.call
    arguments = call.arguments or "{}"
    try:
        is_object = isinstance(orjson.loads(arguments), dict)
    except orjson.JSONDecodeError:
        is_object = False
    if not is_object:
        raise InvalidArgumentError("call.arguments", "this is no JSON object")
    return Invocation(tool=call.tool, arguments=arguments, digest=call.definition_digest)


def _check_time_zone(name: str) -> None:
    if not name:
        return
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidArgumentError("time_zone", f"{name!r} is no IANA time zone") from None
