"""The skills of a turn: what its model is told of them, and what it is given that loads one."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any
from uuid import UUID

import orjson

from turnpike.agent_runtime.skills.model import PinnedSkill
from turnpike.agent_runtime.tools.effects import Effect, EffectState
from turnpike.agent_runtime.tools.toolset import Tool, model_name
from turnpike.agent_runtime.turns.model import PastTurn, Step

_SCHEMA = orjson.dumps(
    {
        "type": "object",
        "properties": {"name": {"type": "string", "description": "The skill's name."}},
        "required": ["name"],
        "additionalProperties": False,
    }
).decode()
# The same for every agent: whatever skills there are, the list of tools keeps its bytes.
LOAD_SKILL = Tool(
    name="turnpike/load_skill",
    description="Returns the instructions of a skill. Load it before you do what it is for.",
    input_schema=_SCHEMA,
    digest=f"sha256:{hashlib.sha256(_SCHEMA.encode()).hexdigest()}",
    read_only=True,
)
_OPENING = f"""# Skills

Instructions for some tasks are kept apart, as skills. Before you do what a skill is for, call \
{model_name(LOAD_SKILL.name)} with its name, and follow what it returns.
"""


class Skillset:
    """The skills that a turn began with, and those that its thread has loaded."""

    def __init__(self, skills: Sequence[PinnedSkill] = ()) -> None:
        self._skills = {skill.name: skill for skill in skills}
        self._loaded: list[UUID] = []

    @property
    def tools(self) -> list[Tool]:
        """What loads them; nothing where there are none."""
        return [LOAD_SKILL] if self._skills else []

    @property
    def section(self) -> str:
        """What the instructions end with; the same bytes as long as the skills are the same."""
        if not self._skills:
            return ""
        # In one line each: no description looks like another skill's.
        lines = (
            f"- {skill.name}: {' '.join(skill.spec.description.split())}"
            for skill in self._skills.values()
        )
        return "\n".join((_OPENING, *lines))

    def go_on(self, past: Sequence[PastTurn], steps: Sequence[Step]) -> None:
        """Says what was committed of the thread: what it loaded, it has."""
        calls = (call for turn in past for step in turn.steps for call in step.calls)
        for call in chain(calls, (call for step in steps for call in step.calls)):
            if call.name == LOAD_SKILL.name and call.outcome == "OK" and call.structured:
                self._load(UUID(orjson.loads(call.structured)["version"]))

    def in_force(self, uses: Iterable[tuple[str, str]]) -> list[UUID]:
        """Returns whose rules calls are judged by: the versions that are loaded.

        Args:
            uses: The calls, each a tool and its arguments. What they load counts too: they
                run side by side, so that none of them comes before another.
        """
        named = [_wanted(arguments) for tool, arguments in uses if tool == LOAD_SKILL.name]
        loading = [skill.version for name in named if (skill := self._skills.get(name))]
        return list(dict.fromkeys([*self._loaded, *loading]))

    async def answer(self, _: Effect, arguments: str) -> EffectState:
        """Returns what a model is told that loads a skill."""
        name = _wanted(arguments)
        skill = self._skills.get(name)
        if skill is None:
            known = ", ".join(self._skills)
            return _state("FAILED", f"there is no skill {name!r}: there are {known}")
        self._load(skill.version)
        loaded = {"skill": skill.name, "version": str(skill.version)}
        return _state("SUCCEEDED", skill.spec.instructions, orjson.dumps(loaded).decode())

    def _load(self, version: UUID) -> None:
        if version not in self._loaded:
            self._loaded.append(version)


def _wanted(arguments: str) -> str:
    try:
        said: Any = orjson.loads(arguments or "{}")
    except orjson.JSONDecodeError:
        return ""
    name = said.get("name") if isinstance(said, dict) else None
    return name if isinstance(name, str) else ""


def _state(status: str, text: str, structured: str = "") -> EffectState:
    result = orjson.dumps([{"type": "text", "text": text}]).decode()
    return EffectState(status=status, result=result, structured=structured, reason="")
