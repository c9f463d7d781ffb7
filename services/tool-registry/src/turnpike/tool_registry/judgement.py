"""Which of the tools that a server shows may be shown on, and which wait for a person."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from turnpike.tool_registry.definitions import digest_of
from turnpike.tool_registry.drift import Drift, drift_of, is_harmless, renamed_from
from turnpike.tool_registry.model import Tool, ToolState
from turnpike.tool_registry.pins import Basis, Pin
from turnpike.tool_registry.texts import flags_of


@dataclass(frozen=True, slots=True)
class Judgement:
    """What becomes of a list of tools."""

    tools: list[Tool]
    pinned: list[Tool]
    """Those whose definitions are approved from now on, without anybody asked."""

    @property
    def quarantined(self) -> int:
        """How many wait."""
        return sum(tool.state is ToolState.QUARANTINED for tool in self.tools)


def judge(shown: list[Tool], basis: Basis) -> Judgement:
    """Returns the tools with their states, and the definitions to pin.

    The first use pins, but for what is odd. Afterwards every tool is what it was, or
    differs harmlessly, or waits.
    """
    names = {tool.name for tool in shown}
    gone = {name: pin.definition for name, pin in basis.pins.items() if name not in names}
    judged = [_judge(tool, basis, gone) for tool in shown]
    pinned = [
        tool
        for tool in judged
        if tool.state is ToolState.OK and basis.pins.get(tool.name) != _pin_of(tool)
    ]
    return Judgement(judged, pinned)


def _judge(tool: Tool, basis: Basis, gone: Mapping[str, str]) -> Tool:
    if tool.state is ToolState.INVALID:
        return tool
    pin = basis.pins.get(tool.name)
    if pin is None:
        return _judge_new(tool, basis, gone)
    if pin.digest == tool.digest:
        return tool
    drift = _drift(pin, tool)
    flags = flags_of(tool.definition, others=basis.others)
    if is_harmless(drift) and not flags - _flags_of_pin(pin, basis):
        return tool
    return replace(tool, state=ToolState.QUARANTINED, drift=_sorted(drift), flags=_sorted(flags))


def _judge_new(tool: Tool, basis: Basis, gone: Mapping[str, str]) -> Tool:
    flags = _sorted(flags_of(tool.definition, others=basis.others))
    if basis.is_first_use and not flags:
        return tool
    before = renamed_from(tool.definition, gone)
    return replace(
        tool,
        state=ToolState.QUARANTINED,
        drift=(Drift.RENAMED if before else Drift.NEW,),
        flags=flags,
        renamed_from=before,
    )


def _drift(pin: Pin, tool: Tool) -> frozenset[Drift]:
    if digest_of(pin.definition.encode()) != pin.digest:
        # What was approved cannot be read any more: nothing is known to be the same.
        return frozenset({Drift.DESCRIPTION, Drift.SCHEMA, Drift.ANNOTATIONS})
    return drift_of(pin.definition, tool.definition)


def _flags_of_pin(pin: Pin, basis: Basis) -> frozenset[str]:
    return flags_of(pin.definition, others=basis.others)


def _pin_of(tool: Tool) -> Pin:
    return Pin(tool.definition, tool.digest)


def _sorted(values: frozenset[Drift] | frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(str(value) for value in values))
