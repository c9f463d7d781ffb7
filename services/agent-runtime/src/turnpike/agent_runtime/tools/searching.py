"""Searching a turn's tools, by their words and by what they mean."""

import asyncio
from typing import Any

import orjson

from turnpike.agent_runtime.tools.builtin import Wanted, wanted
from turnpike.agent_runtime.tools.effects import Effect, EffectState
from turnpike.agent_runtime.tools.ranking import by_meaning, by_words, fused
from turnpike.agent_runtime.tools.toolset import Tool, Toolset
from turnpike.agent_runtime.tools.vectors import Vectors

_LONGEST_QUERY = 2000
# Beyond a description's beginning a vector says nothing more.
_LONGEST_TEXT = 2000


class ToolSearch:
    """Finds tools for models. Where nobody embeds, words alone find them."""

    def __init__(self, vectors: Vectors | None) -> None:
        self._vectors = vectors

    async def answer(self, toolset: Toolset, effect: Effect, arguments: str) -> EffectState:
        """Returns what a model is told that searches, and notes what it has seen."""
        asked = wanted(arguments)
        if asked is None:
            return _state("FAILED", "say what the tool should do, as `query`", "")
        found = await self._found(effect, toolset.hidden, asked)
        toolset.show(found)
        shown = [_shown(toolset, tool) for tool in found]
        said = orjson.dumps({"tools": shown}).decode() if shown else "no tool is like that"
        seen = {"tools": [{"name": tool.name, "digest": tool.digest} for tool in found]}
        return _state("SUCCEEDED", said, orjson.dumps(seen).decode())

    async def _found(self, effect: Effect, tools: list[Tool], asked: Wanted) -> list[Tool]:
        tenant, principal = effect.tenant, effect.principal
        query = asked.query[:_LONGEST_QUERY]
        texts = [f"{tool.name} {tool.description}"[:_LONGEST_TEXT] for tool in tools]
        rankings = [await asyncio.to_thread(by_words, query, texts)]
        if self._vectors is not None and tools:
            said = {tool.digest: text for tool, text in zip(tools, texts, strict=True)}
            near, vectors = await asyncio.gather(
                self._vectors.of_query(tenant, principal, query),
                self._vectors.of_tools(tenant, principal, said),
            )
            places = {
                place: vectors[tool.digest]
                for place, tool in enumerate(tools)
                if tool.digest in vectors
            }
            if near is not None and places:
                rankings.append(await asyncio.to_thread(by_meaning, near, places))
        return [tools[place] for place in fused(*rankings)[: asked.limit]]


def _shown(toolset: Toolset, tool: Tool) -> dict[str, Any]:
    schema = orjson.loads(tool.input_schema or "{}")
    name = toolset.name_of(tool)
    return {"name": name, "description": tool.description, "input_schema": schema}


def _state(status: str, text: str, structured: str) -> EffectState:
    result = orjson.dumps([{"type": "text", "text": text}]).decode()
    return EffectState(status=status, result=result, structured=structured, reason="")
