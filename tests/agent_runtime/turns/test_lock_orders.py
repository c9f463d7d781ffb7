"""Sweeps, deletions and commits at once wait for one another, and never in a ring."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import orjson
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.agent_runtime.turns.world import World
from tests.locks import Queue, queue
from turnpike.agent_runtime.files import sweeping as files
from turnpike.agent_runtime.prefix import sweeping as ledgers
from turnpike.agent_runtime.threads import sweeping as threads
from turnpike.agent_runtime.turns import system as turns
from turnpike.blobs.model import Blob, BlobStore
from turnpike.database.tenancy import system_transaction

TENANT, REPLICA, NOBODY = uuid4(), uuid4(), UUID(int=0)
TURN = "SELECT FROM turns WHERE id = $1 FOR NO KEY UPDATE"
SESSION = "SELECT FROM prefix_sessions WHERE session = $1 FOR NO KEY UPDATE"
FILE = "SELECT FROM files WHERE id = $1 FOR NO KEY UPDATE"


@pytest.fixture
async def holder(world: World) -> AsyncGenerator[Any]:
    """A connection that holds what the others wait for."""
    async with world.superuser.acquire() as connection:
        yield connection


async def add_thread(world: World, *, deleting: bool = False) -> UUID:
    """Adds a thread, or one whose deletion was broken off."""
    thread = uuid4()
    await world.superuser.execute(
        "INSERT INTO threads (id, tenant, principal, deleting, updated)"
        " VALUES ($1, $2, $3, $4, now() - interval '1 hour')",
        thread,
        TENANT,
        NOBODY,
        deleting,
    )
    return thread


async def add_turn(
    world: World,
    thread: UUID,
    status: str = "RUNNING",
    *,
    owner: UUID | None = REPLICA,
    given: tuple[UUID, ...] = (),
    **columns: Any,
) -> UUID:
    """Adds a turn to a thread, as a claim does."""
    turn = uuid4()
    values: dict[str, Any] = {
        **{"id": turn, "tenant": TENANT, "thread": thread, "principal": NOBODY, "api_key": ""},
        **{"request_id": "", "payload_digest": b"", "status": status, "agent": "agent"},
        **{"agent_version": NOBODY, "time_zone": "UTC", "metadata": "{}", "traceparent": ""},
        "input": orjson.dumps([{"type": "file", "file": str(each)} for each in given]).decode(),
        **{"owner": owner, "fence": 1, "reserved_seq": 100},
        **columns,
    }
    places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
    await world.superuser.execute(
        f"INSERT INTO turns ({', '.join(values)}) VALUES ({places})", *values.values()
    )
    return turn


async def add_files(world: World) -> tuple[UUID, UUID]:
    """Adds two files, the one of the lower id behind the other; returns that one first."""
    lower, higher = UUID(int=uuid4().int >> 64), UUID(int=uuid4().int | (1 << 128) - (1 << 64))
    for each in (higher, lower):
        await world.superuser.execute(
            "INSERT INTO files (id, tenant, principal, name, media_type, size, digest, state)"
            " VALUES ($1, $2, $3, 'notes.txt', 'text/plain', 1, $4, 'READY')",
            each,
            TENANT,
            NOBODY,
            sha256().hexdigest(),
        )
    return lower, higher


async def held(world: World, thread: UUID, *given: UUID) -> None:
    """Has a thread hold files, by a turn that has ended."""
    await add_turn(world, thread, "COMPLETED", owner=None, given=given)


async def make_due(system: AsyncEngine) -> int:
    async with system_transaction(system) as connection:
        return await turns.make_due(connection, REPLICA)


def finish(world: World, turn: UUID, thread: UUID) -> Awaitable[str]:
    return world.superuser.fetchval(
        "SELECT finish_turn($1, $2, $3, 1, $4, 'COMPLETED', 1, NULL, NULL, 'done',"
        " '{0,0,0,0,0}', '', '', 1, 1, '')",
        TENANT,
        turn,
        thread,
        REPLICA,
    )


def end_outage(world: World, credential: str) -> Awaitable[int]:
    return world.superuser.fetchval("SELECT end_outage($1, $2)", credential, timedelta())


async def succeeded(calls: Queue) -> list[Any]:
    outcomes = await calls.outcomes()
    assert not [each for each in outcomes if isinstance(each, BaseException)], outcomes
    return outcomes


async def test_a_dead_replicas_turns_are_made_due_while_it_ends_one(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    """It also has the next turn of that thread, which its end promotes."""
    thread = await add_thread(world)
    running = await add_turn(world, thread, owner=None, due_at=datetime.now(UTC))
    queued = await add_turn(world, thread, "QUEUED")
    # The one that runs was claimed last, and so lies behind.
    await world.superuser.execute("UPDATE turns SET owner = $2 WHERE id = $1", running, REPLICA)

    async with queue(holder, TURN, queued) as calls:
        await calls.join(make_due(system))
        await calls.join(finish(world, running, thread))

    assert (await succeeded(calls))[0] == 2


async def test_a_first_step_is_committed_while_its_threads_deletion_is_swept(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    """Its entry in the ledger names the thread, which the sweep has locked by then."""
    thread = await add_thread(world, deleting=True)
    turn = await add_turn(world, thread)
    entry = {
        **{"session": str(thread), "revision": 1, "epoch": 1, "first": 0, "count": 0, "bytes": 0},
        **{"model": "m", "route": "", "template": "", "chain": "", "sent_elements": 0},
        **{"sent_bytes": 0, "sent_tokens": 0, "miss": "", "label": "", "interrupted": False},
        **{"summary": "", "summarised": 0},
    }

    async with queue(holder, TURN, turn) as calls:
        await calls.join(threads.sweep(system))
        async with asyncio.timeout(15):
            await holder.execute(
                "SELECT write_prefix($1, $2, '', $3, '{}')",
                TENANT,
                thread,
                orjson.dumps(entry).decode(),
            )

    assert await succeeded(calls) == [0]
    await world.superuser.execute("DELETE FROM threads WHERE id = $1", thread)


async def test_a_thread_is_deleted_while_a_turn_of_another_holds_its_files(
    world: World, holder: asyncpg.Connection
):
    lower, higher = await add_files(world)
    old, new = await add_thread(world), await add_thread(world)
    await held(world, old, lower, higher)
    # The lower one was held again since, and lies behind.
    await held(world, await add_thread(world), lower)

    async with queue(holder, FILE, lower) as calls:
        await calls.join(add_turn(world, new, given=(lower, higher)))
        await calls.join(world.superuser.execute("DELETE FROM threads WHERE id = $1", old))

    await succeeded(calls)


async def test_threads_are_swept_while_a_turn_of_another_holds_their_files(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    """A sweep locks the files of all that it deletes in one order, not those of each."""
    lower, higher = await add_files(world)
    for each in (higher, lower):
        await held(world, await add_thread(world, deleting=True), each)
    new = await add_thread(world)

    async with queue(holder, FILE, lower) as calls:
        await calls.join(add_turn(world, new, given=(lower, higher)))
        await calls.join(threads.sweep(system))

    assert (await succeeded(calls))[1] == 2


class Gate:
    """A store of blobs whose deletions wait."""

    def __init__(self) -> None:
        self.asked, self.opened = asyncio.Event(), asyncio.Event()

    async def delete(self, _blob: Blob) -> None:
        self.asked.set()
        await self.opened.wait()


async def test_files_are_forgotten_while_a_turn_wants_them(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    """A turn that comes too late is told that they are gone."""
    lower, higher = await add_files(world)
    await world.superuser.execute(
        "UPDATE files SET state = 'DELETED', due = now() - interval '1 hour' WHERE id = ANY($1)",
        [higher],
    )
    await world.superuser.execute(
        "UPDATE files SET state = 'DELETED', due = now() - interval '1 hour' WHERE id = ANY($1)",
        [lower],
    )
    new, gate = await add_thread(world), Gate()
    sweep = asyncio.create_task(files.sweep(system, cast("BlobStore", gate)))
    await asyncio.wait_for(gate.asked.wait(), 15)

    async with queue(holder, FILE, lower) as calls:
        await calls.join(add_turn(world, new, given=(lower, higher)))
        gate.opened.set()
        await calls.join(sweep)

    late, swept = await calls.outcomes()
    assert late.sqlstate == "TPF01"
    assert swept == 2


async def test_an_outage_ends_while_threads_of_those_who_wait_are_swept(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    waits: dict[str, Any] = {
        "waiting_for": "provider",
        "waits_on": "a key",
        "due_at": datetime.now(UTC),
    }
    lower, higher = sorted([await add_thread(world, deleting=True) for _ in range(2)])
    before = await add_turn(world, higher, "WAITING", owner=None, **waits)
    await add_turn(world, lower, "WAITING", owner=None, **waits)
    # The first one waits again since: it lies behind, as its thread does in every index.
    await world.superuser.execute("UPDATE turns SET due_at = now() WHERE id = $1", before)

    async with queue(holder, TURN, before) as calls:
        await calls.join(end_outage(world, "a key"))
        await calls.join(threads.sweep(system))

    assert await succeeded(calls) == [2, 0]


async def test_a_sweep_of_ledgers_waits_for_no_other_that_has_some_of_them(
    world: World, system: AsyncEngine, holder: asyncpg.Connection
):
    """Each has evicted what the other one is to forget."""
    for session in ("mine", "another's"):
        await world.superuser.execute(
            "INSERT INTO prefix_sessions (tenant, session, bytes, touched)"
            " VALUES ($1, $2, 100, now() - interval '8 days')",
            TENANT,
            session,
        )

    async with holder.transaction():
        await holder.execute(SESSION, "another's")
        assert await ledgers.sweep(system, 0) == 1

    left = "SELECT session FROM prefix_sessions WHERE tenant = $1"
    assert [row[0] for row in await world.superuser.fetch(left, TENANT)] == ["another's"]
