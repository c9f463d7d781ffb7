"""The agent that every tenant has before it made one."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.agents import store
from turnpike.agent_runtime.agents.model import DEFAULT_MAX_STEPS, AgentSpec
from turnpike.database.tenancy import tenant_transaction

NAME = "default"
MODEL = "scripted"
_SPEC = AgentSpec(model=MODEL, instructions="", tools=(), max_steps=DEFAULT_MAX_STEPS)

CreateModel = Callable[[AsyncConnection, UUID, str], Awaitable[object]]


class DefaultAgent:
    """Makes the agent `default` and its model, once for each tenant that has none.

    Args:
        engine: Where agents are.
        create_model: Stores the built-in model in a tenant's transaction, unless it is there.
    """

    def __init__(self, engine: AsyncEngine, create_model: CreateModel) -> None:
        self._engine = engine
        self._create_model = create_model
        self._made: set[UUID] = set()

    async def ensure(self, tenant: UUID, principal: UUID) -> None:
        """Makes them, unless this process knows that they were made.

        An agent that somebody deletes afterwards stays deleted.
        """
        if tenant in self._made:
            return
        async with tenant_transaction(self._engine, tenant) as connection:
            if not await store.any_version(connection, NAME):
                await self._create_model(connection, tenant, MODEL)
                await store.create_agent(connection, tenant, NAME, _SPEC, principal)
        self._made.add(tenant)
