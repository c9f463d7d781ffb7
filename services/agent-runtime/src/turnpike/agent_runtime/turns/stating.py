"""The events that state what a turn came to."""

from datetime import timedelta

from google.protobuf.duration_pb2 import Duration

from turnpike.agent_runtime.events.writer import Body
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.prefix.model import Entry
from turnpike.agent_runtime.tools.effects import Effect
from turnpike.agent_runtime.turns.compacting import Compaction
from turnpike.agent_runtime.turns.endings import Ending
from turnpike.agent_runtime.turns.invocation import NO_VERSION
from turnpike.agent_runtime.turns.model import Call, Spend, Turn, Usage
from turnpike.api.agent_runtime.v1 import event_pb2, turn_pb2


def started(turn: Turn) -> Body:
    """States that a turn began."""
    return {
        "turn_started": event_pb2.TurnStarted(
            thread=str(turn.thread),
            agent=turn.agent,
            agent_version="" if turn.agent_version == NO_VERSION else str(turn.agent_version),
            trace_id=turn.traceparent.split("-")[1] if turn.traceparent else "",
        )
    }


def requested(call: Call, effect: Effect) -> Body:
    """States that a model asks for a call."""
    return {
        "tool_requested": event_pb2.ToolRequested(
            call_id=call.call_id,
            name=call.name,
            arguments=call.arguments,
            effect=effect.id,
        )
    }


def used(spend: Spend) -> Body:
    """States what a model call used."""
    return {
        "usage": event_pb2.UsageReported(
            step=spend.step,
            model=spend.model,
            usage=usage_to_proto(spend.usage),
            attempt=spend.attempt,
            estimated=spend.estimated,
            default_prices=spend.default_prices,
        )
    }


def measured(step: int, model: Model, entry: Entry) -> Body:
    """States how full the model's context is, by what the provider reported."""
    said = entry.reported
    return {
        "context_measured": event_pb2.ContextMeasured(
            step=step,
            model=model.name,
            tokens=entry.sent.tokens,
            window=model.context_window,
            cached_tokens=said.cached_tokens if said else 0,
            predicted_tokens=entry.predicted,
            reckoned=said is None or said.reckoned,
            miss=str(entry.miss.reason) if entry.miss else "",
        )
    }


def compacted(full: Compaction) -> Body:
    """States that a summary stands for what was said before."""
    return {"context_compacted": event_pb2.ContextCompacted(tokens=full.tokens, turns=full.turns)}


def awaiting(reason: str, delay: timedelta) -> Body:
    """States that a turn that was paused is not let in yet."""
    wait = Duration()
    wait.FromTimedelta(delay)
    return {"admission_waiting": event_pb2.AdmissionWaiting(reason=reason, delay=wait)}


def titled(title: str) -> Body:
    """States that the turn's thread was given a title."""
    return {"thread_titled": event_pb2.ThreadTitled(title=title)}


def finished(ending: Ending) -> Body:
    """States that a turn has ended: the last event of its log."""
    error = None
    if ending.status != "COMPLETED":
        error = turn_pb2.TurnError(reason=ending.reason, message=ending.message)
    status = f"TURN_STATUS_{ending.status}"
    return {"turn_finished": event_pb2.TurnFinished(status=status, error=error)}


def usage_to_proto(usage: Usage) -> turn_pb2.Usage:
    """Returns usage as the contract has it."""
    return turn_pb2.Usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cached_tokens=usage.cached_tokens,
        cache_write_tokens=usage.cache_write_tokens,
        cost_micro_usd=usage.cost_micro_usd,
    )
