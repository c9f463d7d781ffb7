"""Turns of one call by the dozen, held at one point of their way while a process is killed.

What is held is held from outside: a lock in Postgres that its next statement waits for, a
server that is stopped. At which point each call was is not guessed: it is read from the
rows and the tools' journal as they stand when the process is dead.
"""

import asyncio
import json
import random
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
import psutil

from tests.e2e.edge import JSON, Edge, RefusedError
from tests.e2e.suite import Process
from tests.faults.invariants import broken_by
from tests.faults.phases import Subject
from tests.faults.reading import BROKEN, PASSING, RECONNECT_SECONDS, Reading, follow
from tests.faults.stage import Stage

TOOLS = ("transfer", "keyed")
"""One that must not be called twice, and one that knows its calls by their keys."""

END_SECONDS = 90
_STARTED = """
SELECT t.id::text AS turn, t.metadata->>'call' AS tag, r.name AS owner
FROM agent_runtime.turns t LEFT JOIN agent_runtime.replicas r ON r.id = t.owner
WHERE t.metadata->>'crowd' = $1
"""
_STANDING = """
SELECT t.metadata->>'call' AS tag, t.finished IS NOT NULL AS ended, a.outcome,
  c.status, x.name AS executor
FROM agent_runtime.turns t
LEFT JOIN agent_runtime.calls a ON a.turn = t.id
LEFT JOIN tool_registry.calls c ON c.turn = t.id
LEFT JOIN tool_registry.replicas x ON x.id = c.executor
WHERE t.metadata->>'crowd' = $1
"""
_WAITING = """
SELECT client_port FROM pg_stat_activity
WHERE wait_event_type = 'Lock' AND query LIKE '%begin_call%'
"""


@dataclass
class Member:
    """One turn of one call."""

    tool: str
    tag: str
    reading: Reading = field(default_factory=Reading)
    turn: str = ""


@dataclass(frozen=True)
class Standing:
    """How a call stood when the process was dead."""

    ended: bool
    outcome: str | None
    status: str | None
    executor: str | None
    owner: str | None
    effects: int
    ends: int


@dataclass
class Crowd:
    """The turns of one trial."""

    stage: Stage
    name: str
    members: list[Member]
    starting: "list[asyncio.Task[None]]" = field(default_factory=list["asyncio.Task[None]"])

    def start(self, *, seconds: float, spread: float = 0) -> None:
        """Starts every call, each within `spread` seconds, of a tool that takes `seconds`."""
        for number, member in enumerate(self.members):
            edge = self.stage.edges[number % len(self.stage.edges)]
            begun = self._run(edge, member, seconds, random.uniform(0, spread))
            self.starting.append(asyncio.create_task(begun))

    async def owners(self) -> dict[str, str | None]:
        """Returns who owns the turn of each tag."""
        rows = await self.stage.query(_STARTED, self.name)
        for row in rows:
            next(m for m in self.members if m.tag == row["tag"]).turn = row["turn"]
        return {row["tag"]: row["owner"] for row in rows}

    async def standing(self, owners: dict[str, str | None]) -> dict[str, Standing]:
        """Returns how each turn that there is stands, by its tag."""
        rows = await self.stage.query(_STANDING, self.name)
        entries = self.stage.journal.entries()
        return {
            row["tag"]: Standing(
                row["ended"],
                row["outcome"],
                row["status"],
                row["executor"],
                owners.get(row["tag"]),
                sum(e.kind == "effect" and e.tag == row["tag"] for e in entries),
                sum(e.kind == "end" and e.tag == row["tag"] for e in entries),
            )
            for row in rows
        }

    def effects(self) -> int:
        """Counts the calls whose effect has happened."""
        happened = {entry.tag for entry in self.stage.journal.entries("effect")}
        return sum(member.tag in happened for member in self.members)

    async def ended(self) -> list[str]:
        """Waits until every turn has ended; returns what does not hold of each."""
        try:
            async with asyncio.timeout(END_SECONDS):
                await asyncio.gather(*self.starting)
        except TimeoutError:
            open_ = [m.turn or m.tag for m in self.members if not m.reading.fold.finished]
            return [f"turn {each} has no end" for each in open_]
        finally:
            for task in self.starting:
                task.cancel()
        await self.owners()
        found = await asyncio.gather(*(self._faults_of(member) for member in self.members))
        return [fault for faults in found for fault in faults]

    async def _faults_of(self, member: Member) -> list[str]:
        thread = (await self.stage.edges[0].turn(member.turn))["thread"]
        subject = Subject(member.turn, thread, "", member.tag, member.reading)
        faults = await broken_by(self.stage, subject, [member.reading])
        status, times = member.reading.fold.status, self.stage.journal.effects(member.tag)
        if status != "COMPLETED":
            faults.append(f"{member.turn} ended {status}")
        if member.tool == "keyed" and times != 1:
            faults.append(f"{member.tag} happened {times} times at a server that knows its calls")
        return faults

    async def _run(self, edge: Edge, member: Member, seconds: float, delay: float) -> None:
        await asyncio.sleep(delay)
        body = {
            "arguments": {"tag": member.tag, "seconds": seconds},
            "metadata": {"crowd": self.name, "call": member.tag},
        }
        path = f"/tools/effects/{member.tool}:call"
        while not member.turn:
            member.turn = await self._begun(edge, path, body, member.tag)
        await follow(self.stage.edges, member.turn, member.reading)

    async def _begun(self, edge: Edge, path: str, body: JSON, key: str) -> str:
        """Returns a turn's id; nothing when its owner died over it: the key makes it one."""
        try:
            async with edge.stream("POST", path, body, idempotency_key=key) as stream:
                return stream.response.headers["location"].rsplit("/", 1)[-1]
        except (*BROKEN, RefusedError) as broken:
            if isinstance(broken, RefusedError) and broken.status not in PASSING:
                raise
            await asyncio.sleep(RECONNECT_SECONDS)
            return ""


def crowd_of(stage: Stage, name: str, count: int) -> Crowd:
    """Returns as many calls of each tool, none started."""
    return Crowd(
        stage,
        name,
        [
            Member(TOOLS[number % len(TOOLS)], f"{name}-{number}")
            for number in range(count * len(TOOLS))
        ],
    )


@asynccontextmanager
async def locked(stage: Stage, table: str, mode: str = "SHARE") -> AsyncGenerator[None]:
    """Keeps everybody from writing to a table while inside."""
    connection = await asyncpg.connect(stage.suite.run["postgres"])
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN {mode} MODE")
            yield
    finally:
        await connection.close()


async def waiting_calls(stage: Stage, victim: Process) -> int:
    """Counts the calls that a process is about to write, and waits for a lock to."""
    ports = {c.laddr.port for c in psutil.Process(victim.pid).net_connections("tcp") if c.laddr}
    rows = await stage.query(_WAITING)
    return sum(row["client_port"] in ports for row in rows)


@dataclass
class Person:
    """Who is asked about unknown outcomes, looks whether it happened, and says so."""

    stage: Stage
    crowd: Crowd
    asked: dict[str, datetime] = field(default_factory=dict[str, datetime])
    """When each tag was asked about first, by the clock of Postgres."""

    async def decide(self) -> None:
        """Decides until it is cancelled."""
        while True:
            pending = await self.stage.edges[0].call(
                "GET", "/approvals?status=PENDING&page_size=100"
            )
            for approval in pending["approvals"]:
                await self._answer(approval)
            await asyncio.sleep(0.2)

    async def _answer(self, approval: JSON) -> None:
        (call,) = approval["calls"]
        tag = call["arguments"]["tag"]
        if tag not in {member.tag for member in self.crowd.members}:
            return
        rows = await self.stage.query(
            "SELECT created FROM agent_runtime.approvals WHERE id = $1", approval["id"]
        )
        self.asked.setdefault(tag, rows[0]["created"])
        kind = "done" if self.stage.journal.effects(tag) else "not_done"
        decision = {"call_id": call["call_id"], "kind": kind, "text": json.dumps(kind)}
        path = f"/approvals/{approval['id']}:decide"
        await self.stage.edges[0].call("POST", path, {"decisions": [decision]})
