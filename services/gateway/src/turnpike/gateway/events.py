"""Events of a turn's log as frames of an event stream.

This is the hot path of the edge: a function per type, and no message but the
event itself.
"""

from collections.abc import Callable, Iterable
from typing import Any

import orjson

from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, TurnError, TurnStatus
from turnpike.gateway.approval_documents import (
    call_document,
    decision_document,
    question_document,
)
from turnpike.gateway.documents import embed_any, embed_array, embed_object, rfc3339

RETRY = b"retry: 1000\n\n"
HEARTBEAT = b": still here\n\n"
DRAINING = b": draining, connect again\n\n"

STATUSES = {value: name.removeprefix("TURN_STATUS_") for name, value in TurnStatus.items()}
OUTCOMES = {value: name.removeprefix("TOOL_OUTCOME_") for name, value in ToolOutcome.items()}


def write_frames(events: Iterable[Event], turn: str) -> bytes:
    """Returns events of a turn's log as frames, for one write."""
    return b"".join([_frame(event, turn) for event in events])


def error_document(error: TurnError) -> dict[str, str]:
    """Returns why a turn did not complete."""
    return {"reason": error.reason, "message": error.message}


def _frame(event: Event, turn: str) -> bytes:
    which = event.WhichOneof("body")
    if which is None:
        # A newer runtime's event. Its number must be seen all the same.
        kind, fields = "unknown", b""
    else:
        kind, write = WRITERS[which]
        fields = write(getattr(event, which))
    seq = event.seq
    head = (
        f"id: {seq}\nevent: {kind}\n"
        f'data: {{"seq":{seq},"type":"{kind}","time":"{rfc3339(event.time)}","turn":"{turn}"'
    )
    return b"%b%b}\n\n" % (head.encode(), fields)


def _fields(document: dict[str, Any]) -> bytes:
    """Returns the fields of an object, to go on an object that is begun."""
    return b"," + orjson.dumps(document)[1:-1]


def _text(body: Any) -> bytes:
    return b',"text":' + orjson.dumps(body.text)


def _turn_started(body: Any) -> bytes:
    return _fields(
        {
            "thread": body.thread,
            "agent": body.agent,
            "agent_version": body.agent_version,
            "trace_id": body.trace_id,
        }
    )


def _step_started(body: Any) -> bytes:
    return _fields({"step": body.step, "attempt": body.attempt, "model": body.model})


def _tool_requested(body: Any) -> bytes:
    return _fields(
        {
            "call_id": body.call_id,
            "name": body.name,
            "arguments": embed_object(body.arguments),
            "effect": body.effect,
        }
    )


def _tool_started(body: Any) -> bytes:
    return _fields({"call_id": body.call_id})


def _tool_progress(body: Any) -> bytes:
    return _fields(
        {
            "call_id": body.call_id,
            "progress": body.progress,
            "total": body.total or None,
            "message": body.message,
        }
    )


def _tool_finished(body: Any) -> bytes:
    document: dict[str, Any] = {
        "call_id": body.call_id,
        "outcome": OUTCOMES.get(body.outcome, "UNKNOWN"),
        "result": embed_array(body.result),
    }
    if body.structured:
        document["structured"] = embed_any(body.structured)
    return _fields(document)


def _log_reset(body: Any) -> bytes:
    return b',"after_seq":%d' % body.after_seq


def _model_retrying(body: Any) -> bytes:
    delay = body.delay
    delay_ms = delay.seconds * 1000 + delay.nanos // 1_000_000
    return _fields({"reason": body.reason, "delay_ms": delay_ms, "attempt": body.attempt})


def _model_changed(body: Any) -> bytes:
    return _fields({"reason": body.reason, "from": getattr(body, "from"), "to": body.to})


def _thread_titled(body: Any) -> bytes:
    return _fields({"title": body.title})


def _usage(body: Any) -> bytes:
    usage = body.usage
    return _fields(
        {
            "step": body.step,
            "model": body.model,
            "input_tokens": usage.input_tokens,
            "output_tokens": usage.output_tokens,
            "cached_tokens": usage.cached_tokens,
            "cache_write_tokens": usage.cache_write_tokens,
            "cost_micro_usd": usage.cost_micro_usd,
        }
    )


def _context(body: Any) -> bytes:
    return _fields(
        {
            "step": body.step,
            "model": body.model,
            "tokens": body.tokens,
            "window": body.window,
            "cached_tokens": body.cached_tokens,
            "predicted_tokens": body.predicted_tokens,
            "reckoned": body.reckoned,
            "miss": body.miss or None,
        }
    )


def _context_compacted(body: Any) -> bytes:
    return _fields({"tokens": body.tokens, "turns": body.turns})


def _approval_required(body: Any) -> bytes:
    return _fields(
        {
            "approval": body.approval,
            "calls": [call_document(each) for each in body.calls],
            "questions": [question_document(each) for each in body.questions],
            "expires": rfc3339(body.expire_time),
            "escalated": body.escalated,
        }
    )


def _approval_decided(body: Any) -> bytes:
    return _fields(
        {
            "approval": body.approval,
            "decisions": [decision_document(each) for each in body.decisions],
            "decided_by": body.decided_by or None,
            "complete": body.complete,
        }
    )


def _admission_waiting(body: Any) -> bytes:
    delay = body.delay
    delay_ms = delay.seconds * 1000 + delay.nanos // 1_000_000
    return _fields({"reason": body.reason, "delay_ms": delay_ms})


def _turn_finished(body: Any) -> bytes:
    error = error_document(body.error) if body.HasField("error") else None
    return _fields({"status": STATUSES.get(body.status, "FAILED"), "error": error})


WRITERS: dict[str, tuple[str, Callable[[Any], bytes]]] = {
    "text_delta": ("text.delta", _text),
    "reasoning_delta": ("reasoning.delta", _text),
    "turn_started": ("turn.started", _turn_started),
    "step_started": ("step.started", _step_started),
    "tool_requested": ("tool.requested", _tool_requested),
    "tool_started": ("tool.started", _tool_started),
    "tool_progress": ("tool.progress", _tool_progress),
    "tool_finished": ("tool.finished", _tool_finished),
    "log_reset": ("log.reset", _log_reset),
    "model_retrying": ("model.retrying", _model_retrying),
    "model_changed": ("model.changed", _model_changed),
    "thread_titled": ("thread.titled", _thread_titled),
    "usage": ("usage", _usage),
    "context_measured": ("context", _context),
    "context_compacted": ("context.compacted", _context_compacted),
    "approval_required": ("approval.required", _approval_required),
    "approval_decided": ("approval.decided", _approval_decided),
    "admission_waiting": ("admission.waiting", _admission_waiting),
    "turn_finished": ("turn.finished", _turn_finished),
}
"""For each event of the protos its type, and what writes its fields."""
