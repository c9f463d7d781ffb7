"""Turns that a test owns, and the owner's and the readers' ends of their logs."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from uuid import uuid4

import asyncpg
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from turnpike.agent_runtime.events.batches import Batches, Head
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.model import Batch, Claim, FenceLostError
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.events.writer import RESERVE, Body, LogWriter
from turnpike.agent_runtime.turns.endings import Ending
from turnpike.agent_runtime.turns.model import StartRequest
from turnpike.agent_runtime.turns.requests import TurnRequests
from turnpike.agent_runtime.turns.store import TurnStore
from turnpike.api.agent_runtime.v1.event_pb2 import Event, TurnFinished

PATIENCE_SECONDS = 20


def open_redis(url: str) -> Redis:
    """Returns a client set up as the service's own."""
    return Redis.from_url(
        url, socket_timeout=2.0, socket_connect_timeout=1.0, retry=Retry(NoBackoff(), 1)
    )


@dataclass(frozen=True)
class Storage:
    """Where logs are kept."""

    pool: asyncpg.Pool
    superuser: asyncpg.Pool
    redis: Redis
    log: TurnLog
    batches: Batches
    store: TurnStore

    async def claim(self) -> Claim:
        """Returns the first claim of a new turn."""
        return await new_turn(TurnRequests(self.pool))

    async def take_over(self, claim: Claim) -> Claim:
        """Returns the next claim of a turn; the one before it is stale from now on."""
        later = replace(claim, fence=claim.fence + 1, owner=uuid4())
        await self.superuser.execute(
            "UPDATE turns SET fence = $2, owner = $3 WHERE id = $1",
            claim.turn,
            later.fence,
            later.owner,
        )
        return later

    async def head(self, claim: Claim) -> Head:
        """Returns where a turn's log stands in Postgres."""
        row = await self.superuser.fetchrow(
            "SELECT committed_seq, reserved_seq, finished IS NOT NULL AS ended FROM turns"
            " WHERE id = $1",
            claim.turn,
        )
        assert row
        return Head(
            tenant=claim.tenant,
            turn=claim.turn,
            committed=row["committed_seq"],
            reserved=row["reserved_seq"],
            ended=row["ended"],
        )

    async def committed(self, claim: Claim) -> list[Event]:
        """Returns all that is in Postgres."""
        events: list[Event] = []
        while page := await self.batches.after(
            claim.tenant, claim.turn, events[-1].seq if events else 0
        ):
            events.extend(page)
        return events

    async def cached(self, claim: Claim) -> list[Event]:
        """Returns all that is in Redis."""
        return await self.log.after(claim.turn, 0)

    def tails(self, *, heartbeat_seconds: float = 15) -> Tails:
        """Returns the tails of a replica that does not run its tasks yet."""
        return Tails(self.log, self.batches, heartbeat_seconds=heartbeat_seconds)


def new_claim() -> Claim:
    """Returns a claim that only Redis is to know."""
    return Claim(tenant=uuid4(), turn=uuid4(), thread=uuid4(), fence=1, owner=uuid4())


async def new_turn(requests: TurnRequests) -> Claim:
    """Makes a turn, and returns its first claim."""
    claim = new_claim()
    request = StartRequest(
        tenant=claim.tenant,
        principal=uuid4(),
        any_principal=False,
        api_key="",
        request_id="",
        agent="agent",
        inline_agent=None,
        thread=None,
        input=[{"type": "text", "text": "hello"}],
        asks_model=True,
        time_zone="",
        metadata={},
        traceparent="",
        enqueue=False,
    )
    await requests.claim(
        request,
        turn=claim.turn,
        new_thread=claim.thread,
        version=uuid4(),
        digest=b"",
        policy=None,
        owner=claim.owner,
        owner_name="tests",
        reserve=RESERVE,
    )
    return claim


@dataclass
class Writing:
    """An owner's end of a log."""

    storage: Storage
    claim: Claim
    shown: list[Event]
    writer: LogWriter
    appending: asyncio.Task[None] = field(init=False)
    fresh: bool = True

    async def commit_log(self, batch: Batch) -> None:
        await self.storage.store.commit_log(self.claim, batch)

    async def commit(self, *bodies: Body) -> None:
        """Commits events that state nothing."""
        await self.writer.commit(list(bodies), self.commit_log)

    async def reset(self, after_seq: int) -> None:
        await self.writer.reset(after_seq, self.commit_log)

    async def end(self) -> None:
        """Ends the turn, and waits until Redis has it too."""
        ending = Ending(status="COMPLETED", reply=None, results=[], step=0, answer="")

        async def store(batch: Batch) -> None:
            await self.storage.store.finish(self.claim, ending, batch)

        finished = TurnFinished(status="TURN_STATUS_COMPLETED")
        await self.writer.commit([{"turn_finished": finished}], store)
        await self.writer.flush()

    async def say(self, *words: str) -> None:
        """Emits each text as an event of its own, and waits until Redis has them."""
        for each in words:
            self.writer.emit_text(each)
            self.writer.mark()
        await self.writer.flush()


@asynccontextmanager
async def writing(
    storage: Storage,
    claim: Claim,
    *,
    last: int = 0,
    tails: Tails | None = None,
    reserve: Callable[[int], Awaitable[None]] | None = None,
) -> AsyncGenerator[Writing]:
    """Writes a log that was opened, as its owner does, while inside."""
    head = await storage.head(claim)
    shown: list[Event] = []

    async def reserve_here(up_to: int) -> None:
        await storage.store.reserve(claim, up_to)

    def publish(events: list[Event]) -> None:
        shown.extend(events)
        if tails:
            tails.publish(claim.turn, events)

    def may_open() -> bool:
        return owner.fresh

    writer = LogWriter(
        storage.log,
        claim,
        last=last,
        committed=head.committed,
        reserved=head.reserved,
        publish=publish,
        reserve=reserve or reserve_here,
        may_open=may_open,
    )
    owner = Writing(storage, claim, shown, writer)
    owner.appending = asyncio.create_task(writer.run())
    if tails:
        tails.own(claim.turn, last)
    try:
        yield owner
    finally:
        owner.appending.cancel()
        # A test that makes an owner stale says so itself.
        with suppress(asyncio.CancelledError, FenceLostError):
            await owner.appending
        if tails:
            await tails.disown(claim.turn)


@asynccontextmanager
async def started(storage: Storage, *, tails: Tails | None = None) -> AsyncGenerator[Writing]:
    """Writes the log of a new turn."""
    claim = await storage.claim()
    await storage.log.open(claim, committed=0, if_lost=0)
    async with writing(storage, claim, tails=tails) as owner:
        yield owner


@asynccontextmanager
async def taken_over(
    storage: Storage, owner: Writing, *, tails: Tails | None = None
) -> AsyncGenerator[Writing]:
    """Writes a log after another owner of it, as whoever takes a turn over does."""
    claim = await storage.take_over(owner.claim)
    head = await storage.head(claim)
    _, last = await storage.log.open(claim, committed=head.committed, if_lost=head.reserved)
    async with writing(storage, claim, last=last, tails=tails) as later:
        if last > head.committed:
            await later.reset(head.committed)
        yield later


@asynccontextmanager
async def replica(storage: Storage, *, heartbeat_seconds: float = 15) -> AsyncGenerator[Tails]:
    """Runs the tails of a replica while inside."""
    tails = storage.tails(heartbeat_seconds=heartbeat_seconds)
    tasks = [asyncio.create_task(work) for work in (tails.follow(), tails.poll())]
    try:
        yield tails
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


@dataclass
class Reader:
    """One reader of a log, who notes what it is given."""

    cursor: int
    task: asyncio.Task[None] = field(init=False)
    events: list[Event] = field(default_factory=list[Event])
    heartbeats: int = 0
    _news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self, tails: Tails, head: Head) -> None:
        async for given in tails.watch(head, self.cursor):
            async with self._news:
                self.events.extend(given)
                self.heartbeats += not given
                self._news.notify_all()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Returns when a condition of what was given holds."""
        async with asyncio.timeout(PATIENCE_SECONDS), self._news:
            await self._news.wait_for(condition)

    async def has(self, seq: int) -> None:
        """Returns when the event was given."""
        await self.until(lambda: bool(self.events) and self.events[-1].seq >= seq)

    async def ends(self) -> list[Event]:
        """Returns all that was given, once the log has ended."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.task
        return self.events


@asynccontextmanager
async def reading(
    storage: Storage, tails: Tails, claim: Claim, after: int = 0
) -> AsyncGenerator[Reader]:
    """Reads a log from a number on while inside."""
    reader = Reader(after)
    reader.task = asyncio.create_task(reader.follow(tails, await storage.head(claim)))
    try:
        # The first thing that a reader is given says that it is attached.
        await reader.until(lambda: bool(reader.events) or reader.heartbeats > 0)
        yield reader
    finally:
        reader.task.cancel()
        await asyncio.wait({reader.task})
