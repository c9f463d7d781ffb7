"""The skills of a turn: what its model is told of them, and what it is given that loads one."""

import hashlib
from collections.abc import Sequence
from typing import Any

import orjson

from turnpike.agent_runtime.skills.model import PinnedSkill
from turnpike.agent_runtime.tools.effects import Effect, EffectState
from turnpike.agent_runtime.tools.toolset import Tool, model_name

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
    """The skills that a turn began with."""

    def __init__(self, skills: Sequence[PinnedSkill] = ()) -> None:
        self._skills = {skill.name: skill for skill in skills}

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

    async def answer(self, _: Effect, arguments: str) -> EffectState:
        """Returns what a model is told that loads a skill."""
        name = _wanted(arguments)
        skill = self._skills.get(name)
        if skill is None:
            known = ", ".join(self._skills)
            return _state("FAILED", f"there is no skill {name!r}: there are {known}")
        loaded = {"skill": skill.name, "version": str(skill.version)}
        return _state("SUCCEEDED", skill.spec.instructions, orjson.dumps(loaded).decode())


NO_SKILLS = Skillset()


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
