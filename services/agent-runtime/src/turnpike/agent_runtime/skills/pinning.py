"""Which skills a turn has: those that it began with."""

from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.skills.model import PinnedSkill, SkillSpec

_PIN = "SELECT name, version, spec FROM pin_skills($1, $2, $3)"

PinSkills = Callable[[UUID, UUID, Sequence[str]], Awaitable[Sequence[PinnedSkill]]]
"""Returns the skills that a tenant's turn has; who asks first pins those of some names."""


def skill_pins(pool: asyncpg.Pool) -> PinSkills:
    """Returns what pins skills; one statement, which turns without skills never pay."""

    async def pin(tenant: UUID, turn: UUID, names: Sequence[str]) -> Sequence[PinnedSkill]:
        if not names:
            return ()
        return [
            PinnedSkill(
                name=row["name"],
                version=row["version"],
                spec=SkillSpec.from_dict(orjson.loads(row["spec"])),
            )
            for row in await pool.fetch(_PIN, tenant, turn, list(names))
        ]

    return pin
