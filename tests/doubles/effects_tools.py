"""The tools of the effects server: what they say they do, and what they do.

transfer(tag, seconds=0)     a side effect, written down before the work begins
retry_safe(tag, seconds=0)   the same, announced as idempotent
keyed(tag, seconds=0)        the same, and it is: once for each idempotency key
peek(tag)                    read-only: how many effects a tag has
echo(...)                    its arguments, verbatim
fail(message)                a result that says that it is an error
big(n)                       n bytes of text
steps(n, seconds=0)          reports its progress n times
hang()                       never answers
die()                        ends the server's process: for servers with a process
                             of their own, never in a test's loop
"""

import asyncio
import json
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from tests.doubles.effects_journal import Journal

Report = Callable[[int, int], Awaitable[None]]

TAG = {"type": "string", "description": "Under what the effect is counted."}
SECONDS = {"type": "number", "minimum": 0, "description": "How long the work takes."}
COUNT = {"type": "integer", "minimum": 0}


def schema(required: list[str], **properties: dict[str, Any]) -> dict[str, Any]:
    """Returns the JSON schema of an object."""
    return {"type": "object", "properties": properties, "required": required}


def definition(
    name: str, description: str, input_schema: dict[str, Any], **hints: bool
) -> dict[str, Any]:
    """Returns a tool as `tools/list` shows it."""
    shown = {"name": name, "description": description, "inputSchema": input_schema}
    return shown | ({"annotations": hints} if hints else {})


DEFINITIONS = [
    definition(
        "transfer",
        "Moves money. Has a side effect.",
        schema(["tag"], tag=TAG, seconds=SECONDS),
        readOnlyHint=False,
        destructiveHint=True,
        idempotentHint=False,
    ),
    definition(
        "retry_safe",
        "Sets a balance. May be repeated.",
        schema(["tag"], tag=TAG, seconds=SECONDS),
        readOnlyHint=False,
        idempotentHint=True,
    ),
    definition(
        "keyed",
        "Settles an account. Has one effect for each idempotency key.",
        schema(["tag"], tag=TAG, seconds=SECONDS),
        readOnlyHint=False,
        idempotentHint=True,
    ),
    definition(
        "peek", "Counts the transfers of a tag.", schema(["tag"], tag=TAG), readOnlyHint=True
    ),
    definition("echo", "Returns its arguments.", schema([]), readOnlyHint=True),
    definition("fail", "Fails.", schema(["message"], message={"type": "string"})),
    definition("big", "Returns much text.", schema(["n"], n=COUNT), readOnlyHint=True),
    definition("steps", "Reports progress.", schema(["n"], n=COUNT, seconds=SECONDS)),
    definition("hang", "Never answers.", schema([])),
    definition("die", "Ends the server.", schema([])),
]

# Not a JSON schema: a type must be a string and `required` a list of them.
LYING = definition("liar", "Lies.", {"type": 12, "properties": [], "required": "yes"})


@dataclass(frozen=True)
class Call:
    """One `tools/call`, its arguments as they were sent."""

    name: str
    arguments: dict[str, Any]
    meta: dict[str, Any]
    report: Report


class UnknownToolError(Exception):
    """No tool has this name."""


def text(content: str, *, error: bool = False) -> dict[str, Any]:
    """Returns a tool's result of one text block."""
    return {"content": [{"type": "text", "text": content}], "isError": error}


class Tools:
    """Runs the tools against a journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._once: dict[str, asyncio.Task[dict[str, Any]]] = {}
        self.held: dict[str, asyncio.Event] = {}
        """By tag: when the work of a call with an effect may end."""

    async def run(self, call: Call) -> dict[str, Any]:
        """Runs a call and returns its result, or raises UnknownToolError."""
        if all(known["name"] != call.name for known in DEFINITIONS):
            raise UnknownToolError(call.name)
        return await getattr(self, f"_{call.name}")(call)

    async def _transfer(self, call: Call) -> dict[str, Any]:
        tag = call.arguments["tag"]
        self._journal.note("effect", tool=call.name, arguments=call.arguments, meta=call.meta)
        await asyncio.sleep(float(call.arguments.get("seconds", 0)))
        if held := self.held.get(tag):
            await held.wait()
        self._journal.note("end", tool=call.name, arguments=call.arguments, meta=call.meta)
        return text(f"done {tag}")

    _retry_safe = _transfer

    async def _keyed(self, call: Call) -> dict[str, Any]:
        key = call.meta["turnpike/idempotency-key"]
        if key not in self._once:
            # A task of its own: whoever asks again finds it, whatever became of the first.
            loop = asyncio.get_running_loop()
            self._once[key] = loop.create_task(self._transfer(call))
        return await asyncio.shield(self._once[key])

    async def _peek(self, call: Call) -> dict[str, Any]:
        return text(str(self._journal.effects(call.arguments["tag"])))

    async def _echo(self, call: Call) -> dict[str, Any]:
        shown = text(json.dumps(call.arguments, ensure_ascii=False, separators=(",", ":")))
        return shown | {"structuredContent": call.arguments}

    async def _fail(self, call: Call) -> dict[str, Any]:
        return text(call.arguments["message"], error=True)

    async def _big(self, call: Call) -> dict[str, Any]:
        return text("x" * int(call.arguments["n"]))

    async def _steps(self, call: Call) -> dict[str, Any]:
        total = int(call.arguments["n"])
        for step in range(total):
            await call.report(step + 1, total)
            await asyncio.sleep(float(call.arguments.get("seconds", 0)))
        return text(f"{total} steps")

    async def _hang(self, call: Call) -> dict[str, Any]:
        await asyncio.Event().wait()
        return text("never")

    async def _die(self, call: Call) -> dict[str, Any]:
        os._exit(1)
