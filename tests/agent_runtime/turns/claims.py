"""Turns that a test claims itself, where no replica runs."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.agent_runtime.events.owning import new_turn
from tests.agent_runtime.turns.world import World
from turnpike.agent_runtime.events.model import Claim
from turnpike.agent_runtime.turns import system
from turnpike.agent_runtime.turns.model import Turn
from turnpike.agent_runtime.turns.requests import TurnRequests
from turnpike.agent_runtime.turns.store import TurnStore


@dataclass(frozen=True)
class Claims:
    """Makes turns in the states that a test needs."""

    world: World
    requests: TurnRequests
    store: TurnStore

    async def new(self) -> Claim:
        """Returns the first claim of a new turn."""
        return await new_turn(self.requests)

    async def take_over(self, claim: Claim) -> Claim:
        """Returns the next claim of a turn; the one before is stale from now on."""
        later = replace(claim, fence=claim.fence + 1, owner=uuid4())
        await self._set(claim, f"fence = {later.fence}, owner = '{later.owner}'")
        return later

    async def due(self) -> Claim:
        """Returns the claim of a turn that nobody owns any more."""
        claim = await self.new()
        await self.make_due(claim)
        return claim

    async def make_due(self, claim: Claim) -> None:
        """Leaves a turn to whoever claims it next."""
        await self._set(claim, "owner = NULL, due_at = statement_timestamp()")

    async def desire_cancel(self, claim: Claim) -> None:
        """Asks for a turn's cancellation."""
        await self._set(claim, "desired = 'cancel'")

    async def let_go(self, connection: AsyncConnection, claim: Claim) -> None:
        """Gives a turn up for a claim."""
        await system.let_go(
            connection,
            turn=claim.turn,
            owner=claim.owner,
            fence=claim.fence,
            delay=timedelta(),
            forgive=False,
        )

    async def claim_due(self, connection: AsyncConnection, *, dead: bool = False) -> list[Turn]:
        """Claims what is due as a replica of its own."""
        owner = uuid4()
        await self.world.superuser.execute(
            "INSERT INTO replicas (id, name, address, dead) VALUES ($1, 'claims', '', $2)",
            owner,
            dead,
        )
        return await system.claim_due(connection, owner=owner, owner_name="claims", limit=30)

    async def _set(self, claim: Claim, change: str) -> None:
        await self.world.superuser.execute(f"UPDATE turns SET {change} WHERE id = $1", claim.turn)


async def call(connection: asyncpg.Connection, name: str, values: list[Any]) -> str:
    """Calls a function by its name."""
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    return await connection.fetchval(f"SELECT {name}({places})", *values)
