"""Which tools a turn has, under which names."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.models.prompt import ToolDefinition

# What every provider takes as a function's name.
_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A tool as the registry lists it."""

    name: str
    """`connector/tool`."""

    description: str
    input_schema: str
    digest: str
    alias: str = ""
    """What models call it; empty for what its name gives."""

    read_only: bool = False
    """Whether it says that it only reads, and its connector is trusted in that."""


class Toolset:
    """The tools of one turn, by the names that its model is shown."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._tools = _named(tools)
        self._by_name = {tool.name: tool for tool in tools}
        self._read_only = frozenset((tool.name, tool.digest) for tool in tools if tool.read_only)

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is shown: stable in order and bytes, for prompt caches' sake."""
        return tuple(
            ToolDefinition(name=name, description=t.description, input_schema=t.input_schema)
            for name, t in self._tools.items()
        )

    def find(self, name: str) -> Tool | None:
        """Returns the tool that the model means."""
        return self._tools.get(name)

    def named(self, tool: str) -> Tool | None:
        """Returns the tool `connector/tool`, as it is defined now."""
        return self._by_name.get(tool)

    def reads_only(self, tool: str, digest: str) -> bool:
        """Says whether `connector/tool`, as a digest defines it, is trusted to change nothing."""
        return (tool, digest) in self._read_only


def model_name(tool: str) -> str:
    """Returns a tool's name as models see it: `connector__tool`.

    A name that providers would refuse is cut and marked by its digest, the same
    each time.
    """
    name = _NAME.sub("_", tool.replace("/", "__", 1))
    if name == tool.replace("/", "__", 1) and len(name) <= _LONGEST_NAME:
        return name
    return _marked(name, tool)


def _marked(name: str, tool: str) -> str:
    mark = hashlib.sha256(tool.encode()).hexdigest()[:8]
    return f"{name[: _LONGEST_NAME - 9]}_{mark}"


def _named(tools: Sequence[Tool]) -> Mapping[str, Tool]:
    # What somebody chose stays with that tool, whichever tools come to be there.
    chosen = {tool.alias for tool in tools if tool.alias}
    named: dict[str, Tool] = {}
    for tool in tools:
        name = tool.alias or model_name(tool.name)
        if name in named or (name in chosen and not tool.alias):
            # Two tools that look alike to a model stay callable, both.
            name = _marked(name, tool.name)
        named[name] = tool
    return named
