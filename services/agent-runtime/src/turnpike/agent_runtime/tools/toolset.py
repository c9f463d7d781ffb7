"""Which tools a turn has, under which names."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from turnpike.agent_runtime.models.prompt import ToolDefinition
from turnpike.agent_runtime.tools.builtin import BUILT_IN, NAMES, SEARCH, SEARCH_DIGEST

# What every provider takes as a function's name.
_NAME = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 64
_NONE_SEEN: Mapping[str, str] = {}


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

    connector: str = ""
    """Which connector it is of, whatever that is called; empty of none that is known."""


class Toolset:
    """The tools of one turn, by the names that its model is shown."""

    def __init__(
        self,
        tools: Sequence[Tool],
        *,
        pinned: Callable[[str], bool] | None = None,
        seen: Mapping[str, str] = _NONE_SEEN,
    ) -> None:
        """Takes a turn's tools.

        Args:
            tools: All of them.
            pinned: Whether a tool is always shown; None shows all, and else the others are
                to be searched for.
            seen: What models found so far: digests of definitions, by `connector/tool`.
        """
        self._tools = _named(tools)
        self._by_name = {tool.name: tool for tool in tools}
        self._read_only = frozenset((tool.name, tool.digest) for tool in tools if tool.read_only)
        self._hidden = [tool for tool in tools if pinned is not None and not pinned(tool.name)]
        self._seen = dict(seen)

    @property
    def definitions(self) -> tuple[ToolDefinition, ...]:
        """What the model is shown: stable in order and bytes, for prompt caches' sake."""
        hidden = {tool.name for tool in self._hidden}
        shown = tuple(
            ToolDefinition(name=name, description=t.description, input_schema=t.input_schema)
            for name, t in self._tools.items()
            if t.name not in hidden
        )
        return (*BUILT_IN, *shown) if hidden else shown

    @property
    def hidden(self) -> list[Tool]:
        """The tools that are to be searched for."""
        return self._hidden

    def show(self, found: Sequence[Tool]) -> None:
        """Says what the model was told of just now."""
        self._seen |= {tool.name: tool.digest for tool in found}

    def find(self, name: str) -> Tool | None:
        """Returns the tool that the model means."""
        return self._tools.get(name)

    def named(self, tool: str) -> Tool | None:
        """Returns the tool `connector/tool`, as it is defined now."""
        return self._by_name.get(tool)

    def name_of(self, tool: Tool) -> str:
        """Returns what the model calls a tool."""
        return next(name for name, each in self._tools.items() if each.name == tool.name)

    def seen_digest(self, tool: Tool) -> str:
        """Returns the digest of the definition that the model was told of when it found a tool."""
        return self._seen.get(tool.name, tool.digest)

    def reads_only(self, tool: str, digest: str) -> bool:
        """Says whether `connector/tool`, as a digest defines it, is trusted to change nothing."""
        return (tool, digest) in self._read_only or (tool, digest) == (SEARCH, SEARCH_DIGEST)


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
        if name in named or name in NAMES or (name in chosen and not tool.alias):
            # Two tools that look alike to a model stay callable, both.
            name = _marked(name, tool.name)
        named[name] = tool
    return named
