"""Tools as they were listed lately, kept in memory."""

from collections import OrderedDict
from dataclasses import dataclass
from typing import TypeAlias
from uuid import UUID

from turnpike.tool_registry.definitions import Definition
from turnpike.tool_registry.model import ToolState

_OFFERED_BYTES = 32 * 1024 * 1024
# Tools and patterns of all lists that are kept; a list of more is kept alone.
_CHOSEN_SIZE = 10_000

ListKey: TypeAlias = tuple[UUID, tuple[str, ...], tuple[tuple[str, int], ...]]
"""Whose, the patterns, and the connectors with their revisions."""


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as callers see it: by the definition that was approved."""

    connector: str
    name: str
    digest: str
    """Of the approved definition; empty when there is none."""

    definition: Definition
    state: ToolState
    alias: str
    trusted: bool
    """Whether what it says about effects counts."""

    drift: tuple[str, ...]
    flags: tuple[str, ...]
    renamed_from: str
    identity: str
    """Of its connector, whatever that is called."""

    @property
    def full_name(self) -> str:
        """`connector/tool`."""
        return f"{self.connector}/{self.name}"


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class ToolList:
    """The tools that match what was asked for, by name; one object until any of them changes."""

    tools: tuple[ListedTool, ...]
    digest: str
    """Of them together; the same until a definition changes."""


@dataclass(frozen=True, slots=True)
class _Offered:
    revision: int
    tools: list[ListedTool]
    size: int


class Offers:
    """What each connector offers, and what was chosen of that; the longest unused go first."""

    def __init__(self) -> None:
        self._offered: OrderedDict[tuple[UUID, str], _Offered] = OrderedDict()
        self._offered_bytes = 0
        self._chosen: OrderedDict[ListKey, ToolList] = OrderedDict()
        self._chosen_size = 0

    def chosen(self, key: ListKey) -> ToolList | None:
        """Returns what was chosen before."""
        known = self._chosen.get(key)
        if known is not None:
            self._chosen.move_to_end(key)
        return known

    def keep_chosen(self, key: ListKey, chosen: ToolList) -> None:
        """Keeps what was chosen."""
        before = self._chosen.pop(key, None)
        self._chosen_size += _size(key, chosen) - (_size(key, before) if before else 0)
        self._chosen[key] = chosen
        while self._chosen_size > _CHOSEN_SIZE and len(self._chosen) > 1:
            self._chosen_size -= _size(*self._chosen.popitem(last=False))

    def offered(self, tenant: UUID, connector: str, revision: int) -> list[ListedTool] | None:
        """Returns the tools of a connector's revision."""
        known = self._offered.get((tenant, connector))
        return known.tools if known is not None and known.revision == revision else None

    def keep_offered(
        self, tenant: UUID, connector: str, revision: int, offered: list[ListedTool], size: int
    ) -> None:
        """Keeps the tools of a connector's revision, whose definitions have so many characters."""
        key = (tenant, connector)
        before = self._offered.pop(key, None)
        self._offered_bytes += size - (before.size if before else 0)
        self._offered[key] = _Offered(revision, offered, size)
        while self._offered_bytes > _OFFERED_BYTES and len(self._offered) > 1:
            _, dropped = self._offered.popitem(last=False)
            self._offered_bytes -= dropped.size


def _size(key: ListKey, chosen: ToolList) -> int:
    return 1 + len(key[1]) + len(chosen.tools)
