"""Gatekeeper's books of one tenant, as whoever owns its database reads and writes them."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from redis.asyncio import Redis

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.world import World
from tests.waiting import until

Entry = tuple[int, int, bool, int, int, int]
"""Step, attempt, whether estimated, prompt and answer tokens, cost."""


@dataclass(frozen=True)
class Books:
    """The ledger, the budgets and the holds."""

    world: World
    connection: asyncpg.Connection
    redis: Redis

    async def budget(self, tenant: Tenant, limit: int) -> None:
        """Gives a tenant a budget in micro-dollars."""
        await self.connection.execute(
            "INSERT INTO budgets (tenant, scope, period, limit_micro_usd)"
            " VALUES ($1, 'tenant', 'total', $2)",
            UUID(tenant.id),
            limit,
        )

    async def plan(self, tenant: Tenant) -> str:
        """Puts a tenant on a plan of its own, in place of any other; returns its name."""
        name = f"plan-{uuid4()}"
        await self.connection.execute("INSERT INTO plans (name, tier) VALUES ($1, 'team')", name)
        await self.connection.execute(
            "DELETE FROM subscriptions WHERE tenant = $1", UUID(tenant.id)
        )
        await self.connection.execute(
            "INSERT INTO subscriptions (tenant, plan) VALUES ($1, $2)", UUID(tenant.id), name
        )
        return name

    async def rows(self, turn: str) -> list[asyncpg.Record]:
        """Returns what the ledger has of a turn, in order."""
        return await self.connection.fetch(
            "SELECT * FROM ledger WHERE turn = $1 ORDER BY step, call, attempt", UUID(turn)
        )

    async def entries(self, turn: str) -> list[Entry]:
        """Returns what the ledger has of a turn, in short."""
        return [
            (
                row["step"],
                row["attempt"],
                row["estimated"],
                row["input_tokens"],
                row["output_tokens"],
                row["cost_micro_usd"],
            )
            for row in await self.rows(turn)
        ]

    async def told(self, turn: str) -> list[Entry]:
        """Returns what the usage events of a turn's log say."""
        used = [event.usage for event in await self.world.log(turn) if event.HasField("usage")]
        return sorted(
            (
                each.step,
                each.attempt,
                each.estimated,
                each.usage.input_tokens,
                each.usage.output_tokens,
                each.usage.cost_micro_usd,
            )
            for each in used
        )

    async def owed(self, turn: str) -> int:
        """Returns how much of a turn is still in the outbox."""
        return await self.world.superuser.fetchval(
            "SELECT count(*) FROM usage_outbox WHERE turn = $1", UUID(turn)
        )

    async def held(self, tenant: Tenant) -> int:
        """Returns what a tenant's turns hold on its budget."""
        held: Any = await self.redis.hget(f"gatekeeper:{{{tenant.id}}}:account", "held:tenant:")
        return int(held or 0)

    async def slots(self, tenant: Tenant) -> int:
        """Returns how many slots a tenant's turns hold."""
        return await self.redis.zcard(tenant.made.slots_key)

    async def settled(self, tenant: Tenant, turn: str) -> list[Entry]:
        """Returns what the ledger has of a turn once nothing is owed, having compared it.

        The events, the turn and the ledger say the same, and nothing is held or taken.
        """

        async def is_settled() -> bool:
            return await self.owed(turn) == 0

        await until(is_settled)
        entries, row = await self.entries(turn), await self.world.row(turn)
        assert entries == await self.told(turn)
        assert row["cost_micro_usd"] == sum(entry[5] for entry in entries)
        assert row["input_tokens"] == sum(entry[3] for entry in entries)
        assert row["output_tokens"] == sum(entry[4] for entry in entries)
        assert await self.held(tenant) == 0
        return entries


@asynccontextmanager
async def opened(world: World) -> AsyncGenerator[Books]:
    """Opens the books while inside."""
    connection = await asyncpg.connect(
        world.gatekeepers_url, server_settings={"search_path": "gatekeeper"}
    )
    try:
        async with Redis.from_url(world.redis_url) as redis:
            yield Books(world, connection, redis)
    finally:
        await connection.close()
