"""What may be done to agents."""

from collections.abc import Awaitable, Callable, Container, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.agents import store
from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.agents.store import Agent, AgentVersion, Change
from turnpike.agent_runtime.errors import ConflictError, NotFoundError, check_etag
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError

_SPEC = "agent.spec"

HoldModel = Callable[[AsyncConnection, UUID, str], Awaitable[bool]]
"""Keeps a tenant's model or pool for the transaction; False when none has that name."""

HoldSkills = Callable[[AsyncConnection, Sequence[str]], Awaitable[Container[str]]]
"""Keeps skills for the transaction; returns the names of those that there are."""


@dataclass(frozen=True, slots=True)
class Holds:
    """Keeps what agents name for a transaction."""

    model: HoldModel
    skills: HoldSkills

    async def check(
        self, connection: AsyncConnection, tenant: UUID, spec: AgentSpec, path: str
    ) -> None:
        """Keeps what a spec names; `path` is where the request has it.

        Raises:
            InvalidArgumentError: Something of it is not there.
        """
        wrong = [
            (f"{path}.skills[{place}]", f"there is no skill {spec.skills[place]!r}")
            for place in await self.unknown(connection, spec)
        ]
        if not await self.model(connection, tenant, spec.model):
            wrong.insert(0, (f"{path}.model", f"there is no model {spec.model!r}"))
        if wrong:
            raise InvalidArgumentError(*wrong[0], *wrong[1:])

    async def unknown(self, connection: AsyncConnection, spec: AgentSpec) -> list[int]:
        """Keeps a spec's skills; returns the places of those that there are not."""
        known = await self.skills(connection, spec.skills)
        return [place for place, name in enumerate(spec.skills) if name not in known]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An agent as somebody wants it."""

    tenant: UUID
    by: UUID
    name: str
    spec: AgentSpec
    validate_only: bool


class Agents:
    """A suite's agents.

    Args:
        engine: Where they are.
        holds: Keeps what they name.
    """

    def __init__(self, engine: AsyncEngine, holds: Holds) -> None:
        self._engine = engine
        self._holds = holds

    async def create(self, wish: Wish) -> Agent:
        """Creates an agent.

        Raises:
            ConflictError: The name is taken.
            InvalidArgumentError: There is no such model or skill.
        """
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            await self._holds.check(connection, wish.tenant, wish.spec, _SPEC)
            return await self._create(connection, wish)

    async def update(self, wish: Wish, *, etag: str, allow_missing: bool) -> tuple[Agent, Change]:
        """Makes an agent what is wished.

        Raises:
            NotFoundError: There is none, and it may not be created.
            EtagMismatchError: It was changed meanwhile.
            InvalidArgumentError: There is no such model or skill.
        """
        async with tenant_transaction(self._engine, wish.tenant) as connection:
            # The lock keeps two updates from both adding the next version.
            current = await store.lock_agent(connection, wish.name)
            if current is None and (etag or not allow_missing):
                raise NotFoundError("agent", wish.name)
            await self._holds.check(connection, wish.tenant, wish.spec, _SPEC)
            if current is None:
                return await self._create(connection, wish), "CREATED"
            check_etag(etag, current)
            agent = await self._existing(connection, wish.name)
            if agent.spec == wish.spec:
                return agent, "UNCHANGED"
            await store.change_agent(connection, wish.tenant, wish.name, wish.spec, wish.by)
            return await self._made(connection, wish), "CHANGED"

    async def get(self, tenant: UUID, name: str) -> Agent:
        """Returns an agent, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._existing(connection, name)

    async def page(self, tenant: UUID, *, after: str, limit: int) -> list[Agent]:
        """Returns agents whose names come after `after`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.list_agents(connection, after=after, limit=limit)

    async def delete(self, tenant: UUID, name: str, *, etag: str) -> None:
        """Deletes an agent.

        Raises:
            NotFoundError: There is none.
            EtagMismatchError: It was changed meanwhile.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            current = await store.lock_agent(connection, name)
            if current is None:
                raise NotFoundError("agent", name)
            check_etag(etag, current)
            await store.delete_agent(connection, name)

    async def versions(
        self, tenant: UUID, name: str, *, before: int | None, limit: int
    ) -> list[AgentVersion]:
        """Returns an agent's versions, newest first, or raises `NotFoundError`."""
        async with tenant_transaction(self._engine, tenant) as connection:
            await self._existing(connection, name)
            return await store.list_versions(connection, name, before=before, limit=limit)

    async def activate(self, tenant: UUID, name: str, version: UUID) -> Agent:
        """Makes a version the active one.

        Raises:
            NotFoundError: There is no such agent, or version of it.
            InvalidArgumentError: The version's model, or a skill of it, is gone.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            if await store.lock_agent(connection, name) is None:
                raise NotFoundError("agent", name)
            spec = await store.spec_of(connection, name, version)
            if spec is None:
                raise NotFoundError("agent version", str(version))
            if not await self._holds.model(connection, tenant, spec.model):
                raise InvalidArgumentError("version", f"its model {spec.model!r} is gone")
            if gone := await self._holds.unknown(connection, spec):
                raise InvalidArgumentError("version", f"its skill {spec.skills[gone[0]]!r} is gone")
            await store.activate(connection, name, version)
            return await self._existing(connection, name)

    async def _create(self, connection: AsyncConnection, wish: Wish) -> Agent:
        if not await store.create_agent(connection, wish.tenant, wish.name, wish.spec, wish.by):
            raise ConflictError("agent", wish.name)
        return await self._made(connection, wish)

    async def _made(self, connection: AsyncConnection, wish: Wish) -> Agent:
        agent = await self._existing(connection, wish.name)
        if wish.validate_only:
            await connection.rollback()
        return agent

    async def _existing(self, connection: AsyncConnection, name: str) -> Agent:
        agent = await store.get_agent(connection, name)
        if agent is None:
            raise NotFoundError("agent", name)
        return agent
