"""From what a model wrote to the calls that it means, and to what it has found."""

from collections.abc import Iterable, Sequence

import orjson

from turnpike.agent_runtime.models.prompt import ToolUse
from turnpike.agent_runtime.tools.builtin import (
    CALL,
    CALL_NAME,
    SEARCH,
    SEARCH_DIGEST,
    SEARCH_NAME,
    passed,
)
from turnpike.agent_runtime.tools.toolset import Toolset
from turnpike.agent_runtime.turns.model import Call, PastTurn, Step


def asked_for(number: int, uses: Sequence[ToolUse], toolset: Toolset) -> list[Call]:
    """Returns the calls that a model asks for in a step.

    What it passes on to a tool that it found is that tool's call.
    """
    return [_call(number, ordinal, use, toolset) for ordinal, use in enumerate(uses)]


def found_before(past: Sequence[PastTurn], steps: Sequence[Step]) -> dict[str, str]:
    """Returns what models found in committed steps: digests, by `connector/tool`; the last counts.

    They stay what they were when the model was told of them: a tool that is another by now is
    refused, until it is found again.
    """
    seen: dict[str, str] = {}
    for step in _steps(past, steps):
        for call in step.calls:
            if call.name == SEARCH and call.outcome == "OK" and call.structured:
                told = orjson.loads(call.structured)["tools"]
                seen |= {each["name"]: each["digest"] for each in told}
    return seen


def _steps(past: Sequence[PastTurn], steps: Sequence[Step]) -> Iterable[Step]:
    for turn in past:
        yield from turn.steps
    yield from steps


def _call(number: int, ordinal: int, use: ToolUse, toolset: Toolset) -> Call:
    call = Call(
        ordinal=ordinal,
        call_id=f"call_{number}_{ordinal}",
        provider_id=use.id or f"call_{number}_{ordinal}",
        name=use.name,
        arguments=use.arguments.replace("\0", ""),
        definition_digest="",
    )
    if use.name == SEARCH_NAME:
        call.name, call.definition_digest = SEARCH, SEARCH_DIGEST
    elif use.name == CALL_NAME:
        _unwrap(call, toolset)
    elif tool := toolset.find(use.name):
        call.name, call.definition_digest = tool.name, tool.digest
    return call


def _unwrap(call: Call, toolset: Toolset) -> None:
    call.name, call.wrapping = CALL, call.arguments
    said = passed(call.arguments)
    if said is None:
        return
    call.arguments = said.arguments
    tool = toolset.find(said.name) or toolset.named(said.name)
    call.name = tool.name if tool else said.name
    call.definition_digest = toolset.seen_digest(tool) if tool else ""
