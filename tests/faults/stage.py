"""Where trials happen: a suite with replicas, the third parties, and their stores."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ConstantBackoff

from tests.doubles.effects_journal import Journal
from tests.doubles.processes import Double, running
from tests.e2e.edge import Edge, connected
from tests.e2e.mcp_servers import http
from tests.e2e.suite import (
    Process,
    Suite,
    running_suite,
    serves,
    until_it,
    write_config,
)

REPLICAS = {
    "agent-runtime": 3,
    "gateway": 2,
    "gatekeeper": 2,
    "tool-registry": 2,
    "embedding": 2,
}
BUDGETS = """
INSERT INTO gatekeeper.budgets (tenant, scope, period, limit_micro_usd)
SELECT tenant, 'tenant', 'total', 1000000000000
FROM gatekeeper.tenants, set_config('search_path', 'gatekeeper', false)
"""


@dataclass
class Stage:
    """A running suite, its edges, and what it talks to."""

    suite: Suite
    edges: list[Edge]
    model: Double
    effects: Double
    journal: Journal
    redis: Redis
    numbers: "count[int]" = field(default_factory=count)

    async def reachable(self) -> None:
        """Waits until every gateway answers; one may just have been killed."""
        for process in self.suite.of("gateway"):
            await until_it(partial(serves, process), within=30)

    async def query(self, statement: str, *values: Any) -> list[asyncpg.Record]:
        """Returns the rows of a statement, as the superuser, who sees every tenant."""
        connection = await asyncpg.connect(self.suite.run["postgres"])
        try:
            return await connection.fetch(statement, *values)
        finally:
            await connection.close()

    async def asked(self, model: str) -> int:
        """Counts how often a scripted model has been asked."""
        async with httpx.AsyncClient() as client:
            log = (await client.get(f"{self.model.origin}/log")).json()["log"]
        return sum(entry["model"] == model for entry in log)

    async def owner(self, turn: str) -> Process | None:
        """Returns the process that owns a turn now."""
        rows = await self.query(
            "SELECT r.name FROM agent_runtime.turns t JOIN agent_runtime.replicas r"
            " ON r.id = t.owner WHERE t.id = $1",
            turn,
        )
        return self.suite.named(rows[0]["name"]) if rows else None

    async def fence(self, turn: str) -> int:
        """Returns how often a turn has been claimed."""
        rows = await self.query("SELECT fence FROM agent_runtime.turns WHERE id = $1", turn)
        return rows[0]["fence"]


@asynccontextmanager
async def staged(home: Path, replicas: Mapping[str, int] = REPLICAS) -> AsyncGenerator[Stage]:
    """Sets everything up while inside."""
    home.mkdir(parents=True, exist_ok=True)
    journal = Journal(home / "journal")
    async with AsyncExitStack() as stack:
        model = stack.enter_context(running("model_server"))
        effects = stack.enter_context(running("effects_server", "--journal", str(journal.path)))
        config = write_config(home / "setup.yaml", [http("effects", effects.url)])
        suite = await stack.enter_async_context(
            running_suite(home / "suite", replicas=replicas, config=config)
        )
        urls = [process.address for process in suite.of("gateway")]
        edges = [await stack.enter_async_context(connected(url, suite.key)) for url in urls]
        redis = Redis.from_url(suite.run["redis"], retry=Retry(ConstantBackoff(0.1), 50))
        stack.push_async_callback(redis.aclose)
        await edges[0].call("GET", "/tools")
        stage = Stage(suite, edges, model, effects, journal, redis)
        # So that every turn holds something, and gives it back.
        await stage.query(BUDGETS)
        yield stage
