"""A server's list of tools: read page by page, cut where it is too long."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from turnpike.tool_registry.definitions import to_tool
from turnpike.tool_registry.links.faults import LinkError
from turnpike.tool_registry.model import Fault, Tool, ToolState, Warn

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

MAX_PAGES = 50
MAX_TOOLS = 1000
MAX_BYTES = 5 * 1024 * 1024

_CanSend: TypeAlias = Callable[[Any], bool]

_FRESH = timedelta(minutes=15)
_LEAST_FRESH, _MOST_FRESH = timedelta(seconds=30), timedelta(hours=24)


@dataclass(slots=True)
class Listing:
    """The tools that a server showed, and what is to be said of the list."""

    tools: dict[str, Tool] = field(default_factory=dict[str, Tool])
    warnings: list[Warn] = field(default_factory=list[Warn])
    fresh: timedelta = _FRESH
    tells: bool = False
    left_out: int = 0
    size: int = 0

    @property
    def remark(self) -> str:
        """What people are told of it."""
        cut = {Warn.TOO_MANY_TOOLS, Warn.TOO_MANY_BYTES}
        if cut.intersection(self.warnings):
            return f"the list was cut after {len(self.tools)} tools"
        if Warn.TOO_MANY_PAGES in self.warnings:
            return f"the list was cut after {MAX_PAGES} pages"
        return f"{self.left_out} tools were left out" if self.left_out else ""

    def take(self, connector: str, page: Mapping[str, Any], can_send: _CanSend) -> bool:
        """Takes a page; False when there is no room for more."""
        self.fresh = _fresh(page, self.fresh)
        for shown in _shown(page):
            tool = to_tool(connector, shown)
            if tool is not None and not can_send(shown.get("inputSchema")):
                tool = replace(tool, state=ToolState.INVALID)
            if tool is None or tool.name in self.tools:
                self.left_out += 1
                continue
            if len(self.tools) == MAX_TOOLS:
                self.warnings.append(Warn.TOO_MANY_TOOLS)
                return False
            if self.size + len(tool.definition) > MAX_BYTES:
                self.warnings.append(Warn.TOO_MANY_BYTES)
                return False
            self.size += len(tool.definition)
            self.tools[tool.name] = tool
        return True


async def fetch_listing(link: "Link", connector: str) -> Listing:
    """Returns a server's tools, all pages.

    Raises:
        LinkError: The server does not answer, or not with a list.
    """
    listing = Listing(tells=link.tells)
    cursor: str | None = None
    for _ in range(MAX_PAGES):
        page = await link.list_tools(cursor)
        # In a thread: checking a long page's schemas takes a while.
        has_room = await asyncio.to_thread(listing.take, connector, page, link.can_send)
        before, cursor = cursor, _cursor(page)
        if not has_room or cursor is None or cursor == before:
            break
    else:
        listing.warnings.append(Warn.TOO_MANY_PAGES)
    if listing.left_out:
        listing.warnings.append(Warn.TOOLS_LEFT_OUT)
    return listing


def _shown(page: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    shown = page.get("tools")
    if not isinstance(shown, list):
        raise LinkError("the server's list of tools is not one", fault=Fault.NOT_MCP)
    several = cast("list[Any]", shown)
    return [cast("dict[str, Any]", tool) if isinstance(tool, dict) else {} for tool in several]


def _cursor(page: Mapping[str, Any]) -> str | None:
    cursor = page.get("nextCursor")
    return cursor if isinstance(cursor, str) and cursor else None


def _fresh(page: Mapping[str, Any], otherwise: timedelta) -> timedelta:
    milliseconds = page.get("ttlMs")
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool):
        return otherwise
    # Bounded first: a server may name any number.
    seconds = min(max(milliseconds / 1000, 0), _MOST_FRESH.total_seconds())
    return max(timedelta(seconds=seconds), _LEAST_FRESH)
