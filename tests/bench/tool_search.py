"""What searching for tools saves: `python -m tests.bench.tool_search [--tools N]`.

Tokens are reckoned as the runtime reckons them, four characters each: what a prompt holds of
tools' definitions when all are shown, and when the model searches once and is told of five. Then
how long a search by words takes. Nothing is started.
"""

import argparse
import asyncio
import os
import time
from uuid import uuid4

import orjson

from tests.bench.bench import Figure
from turnpike.agent_runtime.tools.effects import Effect
from turnpike.agent_runtime.tools.searching import ToolSearch
from turnpike.agent_runtime.tools.toolset import Tool, Toolset
from turnpike.agent_runtime.turns.estimating import BYTES_PER_TOKEN

NOUNS = ("invoice", "customer", "ticket", "branch", "document", "calendar", "server", "payment")
VERBS = ("create", "list", "update", "delete", "search", "export", "approve", "archive", "assign")
SEARCHES = 50
EFFECT = Effect(tenant=uuid4(), principal=uuid4(), turn=uuid4(), fence=1, step=1, ordinal=0)


def tool(number: int) -> Tool:
    """Returns a tool as servers define them: a few arguments, each described."""
    noun, verb = NOUNS[number % len(NOUNS)], VERBS[number // len(NOUNS) % len(VERBS)]
    described = {
        name: {"type": "string", "description": f"The {name} of the {noun} to {verb}."}
        for name in ("id", "name", "owner", "status", "since")
    }
    schema = {"type": "object", "properties": described, "required": ["id"]}
    return Tool(
        name=f"server-{number // 20}/{verb}_{noun}_{number}",
        description=f"Will {verb} the {noun}, and tell what became of it; {verb}s nothing else.",
        input_schema=orjson.dumps(schema).decode(),
        digest=f"sha256:{number}",
    )


def tokens(*texts: str) -> int:
    """Returns how many tokens texts have, about."""
    return sum(map(len, texts)) // BYTES_PER_TOKEN


def shown(toolset: Toolset) -> int:
    """Returns how many tokens a prompt has of a turn's tools."""
    return sum(tokens(t.name, t.description, t.input_schema) for t in toolset.definitions)


async def main() -> None:
    """Measures, and prints."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.tool_search", description=__doc__)
    parser.add_argument("--tools", type=int, default=200)
    options = parser.parse_args()
    tools = [tool(number) for number in range(options.tools)]
    hiding, search = Toolset(tools, pinned=lambda _: False), ToolSearch(None)
    asked = orjson.dumps({"query": "approve an invoice"}).decode()
    began = time.perf_counter()
    found = await search.answer(hiding, EFFECT, asked)
    for _ in range(SEARCHES - 1):
        found = await search.answer(hiding, EFFECT, asked)
    took = (time.perf_counter() - began) / SEARCHES
    whole, searching = shown(Toolset(tools)), shown(hiding)
    told = tokens(found.result)
    print(f"load: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(Figure("", "searched for", "all shown", "goal"))
    name = f"tokens of {options.tools} tools in each prompt"
    print(Figure(name, str(searching), str(whole), ""))
    print(Figure("… and of one search, from then on", str(searching + told), str(whole), ""))
    print(Figure("saved", f"{1 - (searching + told) / whole:.0%}", "", ""))
    print(Figure("a search by words", f"{took * 1000:.1f} ms", "", ""))


if __name__ == "__main__":
    asyncio.run(main())
