"""What may be done to skills."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.errors import (
    ConflictError,
    InUseError,
    NotFoundError,
    check_etag,
)
from turnpike.agent_runtime.skills import store
from turnpike.agent_runtime.skills.model import SkillSpec
from turnpike.agent_runtime.skills.store import Skill, SkillVersion
from turnpike.database.tenancy import tenant_transaction

UserOfSkill = Callable[[AsyncConnection, str], Awaitable[str | None]]
"""Returns the name of an agent that uses a skill of the transaction's tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A skill as somebody wants it."""

    tenant: UUID
    by: UUID
    name: str
    spec: SkillSpec
    validate_only: bool


class Skills:
    """A suite's skills.

    Args:
        engine: Where they are.
        user_of_skill: See `UserOfSkill`.
    """

    def __init__(self, engine: AsyncEngine, user_of_skill: UserOfSkill) -> None:
        self._engine = engine
        self._user_of_skill = user_of_skill

    async def create(self, wish: Wish) -> Skill:
        """Creates a skill, or raises `ConflictError` when the name is taken."""
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            return await self._create(connection, wish)

    async def update(self, wish: Wish, *, etag: str, allow_missing: bool) -> tuple[Skill, str]:
        """Makes a skill what is wished; says CREATED, CHANGED or UNCHANGED.

        Raises:
            NotFoundError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            ConflictError: Somebody created it at the same moment.
        """
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            # The lock keeps two updates from both adding the next version.
            current = await store.lock_skill(connection, wish.name)
            if current is None and (etag or not allow_missing):
                raise NotFoundError("skill", wish.name)
            if current is None:
                return await self._create(connection, wish), "CREATED"
            check_etag(etag, current)
            skill = await _existing(connection, wish.name)
            if skill.spec == wish.spec:
                return skill, "UNCHANGED"
            await store.change_skill(connection, wish.tenant, wish.name, wish.spec, wish.by)
            return await _made(connection, wish), "CHANGED"

    async def get(self, tenant: UUID, name: str) -> Skill:
        """Returns a skill, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await _existing(connection, name)

    async def page(self, tenant: UUID, *, after: str, limit: int) -> list[Skill]:
        """Returns skills whose names come after `after`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.list_skills(connection, after=after, limit=limit)

    async def versions(
        self, tenant: UUID, name: str, *, before: int | None, limit: int
    ) -> list[SkillVersion]:
        """Returns a skill's versions, newest first, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            await _existing(connection, name)
            return await store.list_versions(connection, name, before=before, limit=limit)

    async def delete(self, tenant: UUID, name: str, *, by: UUID, etag: str) -> None:
        """Deletes a skill.

        Raises:
            NotFoundError: There is none.
            EtagMismatchError: It was changed meanwhile.
            InUseError: An agent's active version names it.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            current = await store.lock_skill(connection, name)
            if current is None:
                raise NotFoundError("skill", name)
            check_etag(etag, current)
            if user := await self._user_of_skill(connection, name):
                raise InUseError(f"skill {name!r}", "agent", user)
            await store.delete_skill(connection, tenant, name, by)

    async def _create(self, connection: AsyncConnection, wish: Wish) -> Skill:
        if not await store.create_skill(connection, wish.tenant, wish.name, wish.spec, wish.by):
            raise ConflictError("skill", wish.name)
        return await _made(connection, wish)


async def _made(connection: AsyncConnection, wish: Wish) -> Skill:
    skill = await _existing(connection, wish.name)
    if wish.validate_only:
        await connection.rollback()
    return skill


async def _existing(connection: AsyncConnection, name: str) -> Skill:
    skill = await store.get_skill(connection, name)
    if skill is None:
        raise NotFoundError("skill", name)
    return skill
