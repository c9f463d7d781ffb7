"""Turning what was committed into what a model is told."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import orjson

from turnpike.agent_runtime.agents.model import VARIABLES
from turnpike.agent_runtime.models.prompt import Message, ToolUse
from turnpike.agent_runtime.tools.builtin import CALL_NAME
from turnpike.agent_runtime.tools.toolset import model_name
from turnpike.agent_runtime.turns.attaching import NO_CONTENTS, Contents, pictures_of, text_of
from turnpike.agent_runtime.turns.model import Call, PastTurn, Step, Turn

_HEARD = "Noted."
_OUTCOMES = {
    "DENIED": "The call was denied by policy; it did not run.",
    "REJECTED": "A person rejected the call; it did not run.",
    "CANCELLED": "The call was cancelled; whether it had an effect is not known.",
    "UNKNOWN": "Whether the call had its effect is not known.",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a model is shown of a thread's files."""

    contents: Contents
    sees: bool
    """Whether it is shown images."""


NOTHING = Shown(NO_CONTENTS, sees=True)


def instructions(template: str, turn: Turn, past: Sequence[PastTurn] = ()) -> str:
    """Returns the system prompt, its variables filled in as of the thread's first turn.

    The same thread has the same bytes in each of its turns, whenever and wherever they are
    resumed: providers cache what begins as it did before. A later turn's time is told with
    its input.
    """
    first = past[0] if past else turn
    return _filled(template, _variables(turn.agent, first.created, first.time_zone))


def messages(
    template: str,
    past: Sequence[PastTurn],
    turn: Turn,
    steps: Sequence[Step],
    *,
    summary: str = "",
    summarised: int = 0,
    shown: Shown = NOTHING,
    skills: str = "",
) -> list[Message]:
    """Returns the prompt's messages: what was said before, and the turn so far.

    Of a step whose calls have not ended, only what the model said. A summary stands for the
    turns up to the position `summarised`. What is said of skills ends the instructions.
    """
    system = "\n\n".join(filter(None, (instructions(template, turn, past), skills)))
    said = [Message(role="system", text=system)] if system else []
    first = past[0] if past else turn
    told = _variables(turn.agent, first.created, first.time_zone)
    if summary:
        # Some models refuse two messages of one role in a row.
        said.append(Message(role="user", text=summary))
        said.append(Message(role="assistant", text=_HEARD))
    for earlier in past:
        if earlier.position <= summarised:
            continue
        said.append(_input(template, told, earlier, turn.agent, shown))
        said.extend(_steps(earlier.steps))
    said.append(_input(template, told, turn, turn.agent, shown))
    said.extend(_steps(steps))
    return said


def reply_message(step: Step) -> Message:
    """Returns what the model said in a step."""
    uses = tuple(_use(call) for call in step.calls)
    return Message(role="assistant", text=step.text, calls=uses, thoughts=step.thoughts)


def _use(call: Call) -> ToolUse:
    if call.wrapping:
        return ToolUse(id=call.provider_id, name=CALL_NAME, arguments=call.wrapping)
    return ToolUse(id=call.provider_id, name=model_name(call.name), arguments=call.arguments)


def answer_messages(step: Step) -> list[Message]:
    """Returns the answers to a step's calls; one that has none yet counts as cancelled."""
    return [_answer(call) for call in step.calls]


def _steps(steps: Iterable[Step]) -> list[Message]:
    said: list[Message] = []
    for step in steps:
        # A reply that was cut before it said anything is no message.
        if step.text or step.calls:
            said.append(reply_message(step))
        if step.done:
            said.extend(answer_messages(step))
    return said


def _answer(call: Call) -> Message:
    text = _result_text(call)
    if call.outcome != "OK":
        text = text or _OUTCOMES.get(call.outcome or "CANCELLED", "The call failed.")
    return Message(role="tool", text=text, call_id=call.provider_id)


def _result_text(call: Call) -> str:
    blocks: list[dict[str, Any]] = orjson.loads(call.result) if call.result else []
    texts = [
        block["text"] if block.get("type") == "text" else orjson.dumps(block).decode()
        for block in blocks
    ]
    return "\n".join(texts) or call.structured


def _input(
    template: str, told: Mapping[str, str], turn: Turn | PastTurn, agent: str, shown: Shown
) -> Message:
    """Returns a turn's input, after those of the template's variables that are others by now."""
    now = _variables(agent, turn.created, turn.time_zone)
    others = [
        f"{name}: {value}"
        for name, value in now.items()
        if value != told[name] and "{{" + name + "}}" in template
    ]
    text = text_of(turn.input, shown.contents, sees=shown.sees)
    return Message(
        role="user",
        text=f"[{', '.join(others)}]\n{text}" if others else text,
        pictures=pictures_of(turn.input) if shown.sees else (),
    )


def _filled(template: str, variables: Mapping[str, str]) -> str:
    for name, value in variables.items():
        template = template.replace("{{" + name + "}}", value)
    return template


def _variables(agent: str, created: datetime, time_zone: str) -> dict[str, str]:
    then = created.astimezone(ZoneInfo(time_zone or "UTC"))
    values = (
        then.strftime("%Y-%m-%d %H:%M:%S %Z"),
        then.strftime("%Y-%m-%d"),
        time_zone or "UTC",
        agent,
    )
    return dict(zip(VARIABLES, values, strict=True))
