"""The registry's client under the protocol's conformance suite: lists the tools, calls each.

    python -m tests.tool_registry.conformance_client URL

The suite is the server, and judges what it is sent.
"""

import asyncio
import json
import os
import sys
from contextlib import suppress
from typing import Any

from turnpike.tool_registry.definitions import parse
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.faults import LinkError
from turnpike.tool_registry.links.link import Link
from turnpike.tool_registry.listings import fetch_listing
from turnpike.tool_registry.model import Endpoint, Tool, ToolState, Transport

_CONFINES = Confines(allow_private=True, environment=(), memory_bytes=0, cpu_seconds=0)
_ECHO = "json_schema_echo"
_VALUES: dict[str, Any] = {"number": 2, "integer": 2, "string": "two", "boolean": True}


async def main(url: str) -> None:
    """Does to the server at `url` what a turn would."""
    endpoint = Endpoint(transport=Transport.HTTP, url=url)
    link = Link(endpoint, _CONFINES, on_change=lambda: None)
    opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(link.hold(opened))
        await opened
        listing = await fetch_listing(link, "suite")
        callable_ = {t.name: t for t in listing.tools.values() if t.state is ToolState.OK}
        for name, arguments in _wanted(callable_):
            # What the server refuses is for the suite to judge.
            with suppress(LinkError):
                await link.call_tool(
                    name,
                    arguments,
                    meta={},
                    input_schema=parse(callable_[name].definition).input_schema,
                    is_unwanted=lambda: False,
                    heard=lambda _: None,
                    answers={},
                )
        link.close()


def _wanted(tools: dict[str, Tool]) -> list[tuple[str, dict[str, Any]]]:
    """Returns the calls that the suite asks for, or one of each tool."""
    context = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    if "toolCalls" in context:
        return [(call["name"], call["arguments"]) for call in context["toolCalls"]]
    if _ECHO in tools:
        (focal,) = tools.keys() - {_ECHO}
        return [(_ECHO, {"schema": parse(tools[focal].definition).input_schema})]
    return [(t.name, _arguments(parse(t.definition).input_schema)) for t in tools.values()]


def _arguments(schema: dict[str, Any]) -> dict[str, Any]:
    shown: dict[str, Any] = schema.get("properties", {})
    wanted = schema.get("required", list(shown))
    return {name: _VALUES.get(shown[name].get("type", ""), "two") for name in wanted}


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
