"""Folding a log into what it says.

The rule, for every client: keep events by number; on `log.reset` drop those
above `after_seq` and below its own number; the answer is the text that is left,
per step; the last step's is the turn's answer.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from turnpike.api.agent_runtime.v1.approval_pb2 import Approval
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolCall, Usage


@dataclass(slots=True)
class Folded:
    """What a log says at number `seq`."""

    seq: int = 0
    texts: dict[int, str] = field(default_factory=dict[int, str])
    calls: dict[str, ToolCall] = field(default_factory=dict[str, ToolCall])
    usage: Usage = field(default_factory=Usage)
    ended: bool = False
    approval: Approval | None = None
    """What somebody is to decide, while the turn waits for that."""

    @property
    def text(self) -> str:
        """The answer: the last step's text."""
        return self.texts[max(self.texts)] if self.texts else ""


def standing(events: Iterable[Event]) -> list[Event]:
    """Returns the events that no reset voids, in order."""
    kept: dict[int, Event] = {}
    for event in events:
        if event.WhichOneof("body") == "log_reset":
            after = event.log_reset.after_seq
            kept = {seq: held for seq, held in kept.items() if seq <= after}
        kept[event.seq] = event
    return [kept[seq] for seq in sorted(kept)]


def fold(events: Iterable[Event]) -> Folded:
    """Returns what a log says."""
    folded = Folded()
    step = 0
    for event in standing(events):
        folded.seq = event.seq
        match event.WhichOneof("body"):
            case "step_started":
                step = event.step_started.step
                folded.texts[step] = ""
            case "text_delta":
                folded.texts[step] = folded.texts.get(step, "") + event.text_delta.text
            case "tool_requested" | "tool_finished":
                _fold_call(folded, event)
            case "usage":
                _add(folded.usage, event.usage.usage)
            case "approval_required" | "approval_decided":
                _fold_approval(folded, event)
            case "turn_finished":
                folded.ended, folded.approval = True, None
            case _:
                pass
    return folded


def _fold_call(folded: Folded, event: Event) -> None:
    if event.WhichOneof("body") == "tool_requested":
        asked = event.tool_requested
        folded.calls[asked.call_id] = ToolCall(
            call_id=asked.call_id,
            name=asked.name,
            arguments=asked.arguments,
            effect=asked.effect,
        )
        return
    ended = event.tool_finished
    call = folded.calls[ended.call_id]
    call.outcome, call.result, call.structured = ended.outcome, ended.result, ended.structured


def _asked(event: Event) -> Approval:
    asked = event.approval_required
    return Approval(
        id=asked.approval,
        status="APPROVAL_STATUS_PENDING",
        calls=asked.calls,
        questions=asked.questions,
        create_time=event.time,
        expire_time=asked.expire_time,
        escalated=asked.escalated,
    )


def _fold_approval(folded: Folded, event: Event) -> None:
    if event.HasField("approval_required"):
        folded.approval = _asked(event)
        return
    if folded.approval is None:
        return
    folded.approval.decisions.extend(event.approval_decided.decisions)
    if event.approval_decided.complete:
        folded.approval = None


def _add(total: Usage, part: Usage) -> None:
    total.input_tokens += part.input_tokens
    total.output_tokens += part.output_tokens
    total.cached_tokens += part.cached_tokens
    total.cache_write_tokens += part.cache_write_tokens
    total.cost_micro_usd += part.cost_micro_usd
