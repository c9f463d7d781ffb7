"""A database of a test's own, replicas on it, and what a test may look at."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import UUID

import asyncpg
import grpc
from redis.asyncio import Redis

from tests.agent_runtime.serving import Peers, Runtime, Tenant, listening, settings_for
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.channels import channel_to
from tests.conftest import Keys, Schemas, new_database
from tests.gatekeeper import serving as gatekeepers
from tests.waiting import until
from turnpike.agent_runtime.__main__ import Replica, open_replica
from turnpike.agent_runtime.models import cooldowns
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.database.migration import MigrationUrls

PATIENCE_SECONDS = 15


@dataclass(frozen=True)
class Served:
    """A replica, from outside and from inside."""

    runtime: Runtime
    replica: Replica

    @property
    def id(self) -> UUID:
        """Its incarnation."""
        return self.replica.owner.lease.id


@dataclass
class Reader:
    """Somebody who watches a turn."""

    events: list[Event] = field(default_factory=list[Event])
    beats: int = 0
    task: "asyncio.Task[None]" = field(init=False)
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self, stream: Any) -> None:
        async for response in stream:
            async with self._news:
                self.events.extend(response.events)
                self.beats += not response.events
                self._news.notify_all()

    async def until(self, condition: Callable[[Self], bool]) -> None:
        """Returns when a condition of what came holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(lambda: condition(self))

    async def reads(self, text: str) -> None:
        """Returns when the text of all that came ends so."""
        await self.until(lambda reader: said(reader.events).endswith(text))

    async def ends(self) -> list[Event]:
        """Returns all that came, once the stream has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.task
        return self.events


@dataclass(frozen=True)
class Held:
    """A turn's row that nobody else can write just now."""

    connection: Any
    turn: UUID
    waiting: Callable[[], Awaitable[int]]

    async def awaited(self, by: int = 1) -> None:
        """Returns when so many statements wait for the row."""

        async def enough() -> bool:
            return await self.waiting() >= by

        await until(enough)

    async def set(self, change: str) -> None:
        """Changes the row that is held."""
        await self.connection.execute(f"UPDATE turns SET {change} WHERE id = $1", self.turn)


@dataclass(frozen=True)
class World:
    """Where turns run."""

    urls: MigrationUrls
    redis_url: str
    keys: Keys
    peers: Peers
    gatekeeper: gatekeepers.Gatekeeper
    provider: Provider
    superuser: asyncpg.Pool
    gatekeepers_url: str

    @asynccontextmanager
    async def replica(self, **others: Any) -> AsyncGenerator[Served]:
        """Serves a replica while inside."""
        settings = settings_for(self.urls, self.redis_url, self.keys, self.peers, **others)

        @asynccontextmanager
        async def opened() -> AsyncGenerator[tuple[grpc.aio.Server, Replica]]:
            async with open_replica(settings) as replica:
                yield replica.server, replica

        async with (
            listening(opened()) as (address, replica),
            channel_to(address) as channel,
        ):
            yield Served(Runtime(channel, replica.owner, self.keys), replica)

    async def tenant(self, served: Served, *, slots: int = 64, **agent: Any) -> Tenant:
        """Makes a tenant with an agent on the provider's model."""
        tenant = Tenant(served.runtime, await self.gatekeeper.create_tenant(slots))
        await tenant.model(provider="openai", model="m", base_url=self.provider.url)
        await tenant.agent(**agent)
        return tenant

    async def row(self, turn: str) -> asyncpg.Record:
        """Returns a turn's row."""
        row = await self.superuser.fetchrow("SELECT * FROM turns WHERE id = $1", UUID(turn))
        assert row is not None
        return row

    async def claimed(self, turn: str, fence: int) -> None:
        """Returns when a turn has been claimed so often, and is owned."""

        async def is_claimed() -> bool:
            row = await self.row(turn)
            return row["fence"] >= fence and row["owner"] is not None

        await until(is_claimed)

    async def count(self, table: str) -> int:
        """Returns how many rows a table has."""
        return await self.superuser.fetchval(f"SELECT count(*) FROM {table}")

    async def log(self, turn: str) -> list[Event]:
        """Returns what is committed of a turn's log."""
        rows = await self.superuser.fetch(
            "SELECT events FROM batches WHERE turn = $1 ORDER BY first_seq", UUID(turn)
        )
        return [event for row in rows for event in pb.WatchTurnResponse.FromString(row[0]).events]

    async def declare_dead(self, served: Served) -> None:
        """Does what a peer does who has not seen a replica's beat for too long."""
        async with self.superuser.acquire() as connection, connection.transaction():
            await connection.execute("UPDATE replicas SET dead = true WHERE id = $1", served.id)
            await connection.execute(
                "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE owner = $1",
                served.id,
            )

    async def rested(self, *replicas: Served) -> None:
        """Lets the time pass that providers asked for: whoever waits for one is due."""
        known = {each for served in replicas for each in served.replica.cooldowns.known}
        async with Redis.from_url(self.redis_url) as redis:
            seconds, _ = await redis.time()
            if known:
                await redis.zadd(cooldowns.KEY, dict.fromkeys(known, (seconds - 1) * 1000))
        await until(lambda: not any(each.replica.cooldowns.left([*known]) for each in replicas))
        await self.superuser.execute("UPDATE provider_outages SET retry_at = clock_timestamp()")
        await self.superuser.execute(
            "UPDATE turns SET due_at = clock_timestamp()"
            " WHERE status = 'WAITING' AND waiting_for = 'provider'"
        )

    async def let_end(self) -> None:
        """Lets turns end that a test left running, or failed with.

        Whoever took one over would ask its model, and the next test would take that for its own.
        """
        await self.superuser.execute(
            "UPDATE turns SET desired = 'cancel',"
            " due_at = CASE WHEN owner IS NULL THEN clock_timestamp() END"
            " WHERE id IN (SELECT id FROM turns WHERE status IN ('QUEUED', 'RUNNING', 'WAITING')"
            "  FOR UPDATE SKIP LOCKED)"
        )

    @asynccontextmanager
    async def unrenewed(self, served: Served) -> AsyncGenerator[None]:
        """Lets a replica's lease not be renewed, nor bring it what is desired of its turns."""
        async with self.superuser.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT FROM replicas WHERE id = $1 FOR NO KEY UPDATE", served.id
            )
            yield

    @asynccontextmanager
    async def locked(self, turn: str) -> "AsyncGenerator[Held]":
        """Holds a turn's row, for a statement of whoever else to wait for."""
        async with self.superuser.acquire() as connection, connection.transaction():
            await connection.execute("SELECT FROM turns WHERE id = $1 FOR UPDATE", UUID(turn))
            yield Held(connection, UUID(turn), self._waiting)

    @asynccontextmanager
    async def admission_held(self) -> AsyncGenerator[Callable[[], Awaitable[None]]]:
        """Lets gatekeeper admit nobody; gives what returns when somebody waits to be."""
        connection = await asyncpg.connect(self.gatekeepers_url)
        try:
            async with connection.transaction():
                await connection.execute("LOCK TABLE gatekeeper.bans IN ACCESS EXCLUSIVE MODE")
                holder = await connection.fetchval("SELECT pg_backend_pid()")

                async def awaited() -> None:
                    await until(lambda: self._waits_for(holder))

                yield awaited
        finally:
            await connection.close()

    async def _waits_for(self, holder: int) -> bool:
        return await self.superuser.fetchval(
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE $1 = ANY(pg_blocking_pids(pid))",
            holder,
        )

    async def _waiting(self) -> int:
        return await self.superuser.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )


@asynccontextmanager
async def open_world(
    superuser: str,
    redis_url: str,
    keys: Keys,
    peers: Peers,
    gatekeeper: gatekeepers.Gatekeeper,
) -> AsyncGenerator[World]:
    """Makes a database that no other test's replica looks at."""
    url = await new_database(superuser)
    urls = await Schemas(url).of("agent_runtime")
    provider = Provider()
    async with (
        asyncpg.create_pool(
            url, min_size=1, server_settings={"search_path": "agent_runtime"}
        ) as pool,
        provider.listening(),
    ):
        yield World(urls, redis_url, keys, peers, gatekeeper, provider, pool, superuser)


@asynccontextmanager
async def watching(tenant: Tenant, turn: str, after: int = 0) -> AsyncGenerator[Reader]:
    """Watches a turn while inside; returns once attached."""
    reader = Reader()
    stream = tenant.runtime.turns.WatchTurn(
        pb.WatchTurnRequest(turn=turn, after=after), metadata=tenant.admin
    )
    reader.task = asyncio.create_task(reader.follow(stream))
    try:
        await reader.until(lambda each: bool(each.events) or each.beats > 0)
        yield reader
    finally:
        stream.cancel()
        await asyncio.wait([reader.task])


async def begin(tenant: Tenant, provider: Provider, **fields: Any) -> tuple[Turn, Ask]:
    """Starts a turn; returns it with its first model call."""
    turn = await tenant.start(**fields)
    return turn, await provider.asked()


async def cancel(tenant: Tenant, turn: str) -> Turn:
    """Cancels a turn, and returns it when it has ended."""
    request = pb.CancelTurnRequest(turn=turn)
    response = await tenant.runtime.turns.CancelTurn(request, metadata=tenant.admin)
    return response.turn


def said(events: list[Event]) -> str:
    """Returns the text of events, in the order in which they came."""
    return "".join(event.text_delta.text for event in events)


def kinds(events: list[Event]) -> list[str]:
    """Returns the kinds of events, deltas of text left out."""
    found = (event.WhichOneof("body") or "" for event in events)
    return [kind for kind in found if kind != "text_delta"]
