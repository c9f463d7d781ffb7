"""Turning what was committed into what a model is told."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from turnpike.agent_runtime.models.prompt import Message, ToolUse
from turnpike.agent_runtime.tools.toolset import model_name
from turnpike.agent_runtime.turns.model import Call, PastTurn, Step, Turn

_OUTCOMES = {
    "DENIED": "The call was denied by policy; it did not run.",
    "REJECTED": "A person rejected the call; it did not run.",
    "CANCELLED": "The call was cancelled; whether it had an effect is not known.",
    "UNKNOWN": "Whether the call had its effect is not known.",
}


def instructions(template: str, turn: Turn) -> str:
    """Returns the system prompt, its variables filled in as of the turn's creation.

    The same turn gives the same bytes whenever and wherever it is resumed.
    """
    then = turn.created.astimezone(ZoneInfo(turn.time_zone or "UTC"))
    for name, value in _variables(turn, then).items():
        template = template.replace("{{" + name + "}}", value)
    return template


def messages(
    system: str, past: Sequence[PastTurn], turn: Turn, steps: Sequence[Step]
) -> list[Message]:
    """Returns the prompt's messages: what was said before, and the turn so far."""
    said = [Message(role="system", text=system)] if system else []
    for earlier in past:
        said.append(Message(role="user", text=_input_text(earlier.input)))
        said.extend(_steps(earlier.steps))
    said.append(Message(role="user", text=_input_text(turn.input)))
    said.extend(_steps(steps))
    return said


def step_messages(step: Step) -> list[Message]:
    """Returns what a step adds to a prompt: the reply, and an answer to each of its calls."""
    uses = tuple(
        ToolUse(id=call.provider_id, name=model_name(call.name), arguments=call.arguments)
        for call in step.calls
    )
    reply = Message(role="assistant", text=step.text, calls=uses)
    return [reply, *(_answer(call) for call in step.calls)]


def _steps(steps: Iterable[Step]) -> list[Message]:
    # A reply that was cut before it said anything is no message.
    return [m for step in steps if step.text or step.calls for m in step_messages(step)]


def _answer(call: Call) -> Message:
    text = _result_text(call)
    if call.outcome != "OK":
        text = text or _OUTCOMES.get(call.outcome, "The call failed.")
    return Message(role="tool", text=text, call_id=call.provider_id)


def _result_text(call: Call) -> str:
    blocks: list[dict[str, Any]] = orjson.loads(call.result) if call.result else []
    texts = [
        block["text"] if block.get("type") == "text" else orjson.dumps(block).decode()
        for block in blocks
    ]
    return "\n".join(texts) or call.structured


def _input_text(parts: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(part["text"] for part in parts)


def _variables(turn: Turn, then: datetime) -> dict[str, str]:
    return {
        "current_datetime": then.strftime("%Y-%m-%d %H:%M:%S %Z"),
        "current_date": then.strftime("%Y-%m-%d"),
        "time_zone": turn.time_zone or "UTC",
        "agent_name": turn.agent,
    }
