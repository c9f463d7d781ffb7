"""Settling what turns used: from the outbox into gatekeeper's ledger, until it is there."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from turnpike.agent_runtime.turns import system
from turnpike.agent_runtime.turns.admission import Admission, Slot, is_away
from turnpike.agent_runtime.turns.counting import OUTBOX
from turnpike.agent_runtime.turns.model import Owed
from turnpike.database.failures import is_unavailable
from turnpike.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0
# What ends together is settled together: one statement claims it, and one forgets it.
_GATHER_SECONDS = 0.05
_PATIENCE_SECONDS = 5.0
# A turn's end waits for it.
_END_PATIENCE_SECONDS = 0.5
_MOST_AT_ONCE = 100
_SIDE_BY_SIDE = 16
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 30.0
# What gatekeeper refuses it refuses the next time too, until somebody mends it.
_REFUSED_DELAY_SECONDS = 300.0


class Settler:
    """Drains the outbox. Every replica has one; a row is drained by one at a time.

    Nothing is billed twice, whoever dies where: an entry is known to the ledger by
    its ids. Nothing is lost: a row is deleted when the ledger has it.
    """

    def __init__(self, pool: asyncpg.Pool, admission: Admission) -> None:
        self._pool = pool
        self._admission = admission
        self._room = asyncio.Semaphore(_SIDE_BY_SIDE)
        self._news = asyncio.Event()
        self._done: list[int] = []

    def owed(self) -> None:
        """Says that something is to be settled: it is looked for at once."""
        self._news.set()

    async def end(self, slot: Slot, rows: Sequence[Owed]) -> None:
        """Settles what an ended segment used and gives its slot back, in one call.

        Where that cannot be, the slot is given back alone, and the rest is left to `serve`.

        Args:
            slot: The segment's.
            rows: What it owes, as far as the commit that ended it could claim it.
        """
        try:
            done = await self._end(rows)
        except Exception as error:
            if not is_unavailable(error):
                raise
            done = []
        # Forgotten with the next look: until then nobody else settles it.
        self._done += done
        if not done:
            await self._admission.free(slot)
            self.owed()

    async def serve(self) -> None:
        """Settles what is due until cancelled."""
        while True:
            # Before the look, or what is owed during it waits for the next one.
            self._news.clear()
            if await self._drained():
                continue
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(_GATHER_SECONDS)

    async def _drained(self) -> bool:
        """Settles what is due; says whether there may be more."""
        try:
            return await self._drain() == _MOST_AT_ONCE
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("postgres is away; what turns used is settled later")
            return False

    async def _drain(self) -> int:
        await self._forget()
        rows = await system.claim_owed(self._pool, limit=_MOST_AT_ONCE)
        segments: dict[tuple[object, int], list[Owed]] = defaultdict(list)
        for row in rows:
            segments[row.turn, row.segment].append(row)
        async with asyncio.TaskGroup() as group:
            settling = [group.create_task(self._settle(each)) for each in segments.values()]
        if done := [id_ for task in settling for id_ in task.result()]:
            await system.settled(self._pool, done)
        return len(rows)

    async def _forget(self) -> None:
        # What is lost here is settled again once its claim has lapsed: that is settling once.
        done, self._done = self._done, []
        if done:
            await system.settled(self._pool, done)

    async def _end(self, rows: Sequence[Owed]) -> list[int]:
        """Settles a segment that has ended if all that it owes is here; returns what is done."""
        if rows and len(rows) == rows[0].of_segment:
            return await self._settle(rows, patience=_END_PATIENCE_SECONDS)
        if rows:
            await self._later(rows, 0)
        return []

    async def _settle(
        self, rows: Sequence[Owed], *, patience: float = _PATIENCE_SECONDS
    ) -> list[int]:
        """Settles what one segment used; returns the rows that are done with."""
        async with self._room:
            try:
                await self._send(rows, patience)
            except RemoteError as error:
                OUTBOX.labels(result="AWAY" if is_away(error) else "REFUSED").inc()
                await self._put_off(rows, error)
                return []
        whole = len(rows) == rows[0].of_segment
        done = [row.id for row in rows if whole or not row.ends]
        if len(done) < len(rows):
            await self._later([row for row in rows if row.ends], _LOOK_SECONDS)
        OUTBOX.labels(result="SETTLED").inc(len(done))
        return done

    async def _send(self, rows: Sequence[Owed], patience: float) -> None:
        first = rows[0]
        # Others of the segment may be under way elsewhere: then its end is sent again.
        ends = any(row.ends for row in rows) and len(rows) == first.of_segment
        if entries := [entry for row in rows for entry in row.entries]:
            snapshot = next(row.snapshot or b"" for row in rows if row.entries)
            await self._admission.settle(
                first.turn,
                first.tenant,
                first.segment,
                snapshot=snapshot,
                entries=entries,
                ends=ends,
                patience=patience,
            )
        elif ends:
            await self._admission.release(first.turn, first.tenant, first.segment, settled=True)

    async def _put_off(self, rows: Sequence[Owed], error: RemoteError) -> None:
        tries = max(row.tries for row in rows)
        delay = min(_FIRST_DELAY_SECONDS * 2 ** min(tries - 1, 10), _LONGEST_DELAY_SECONDS)
        if not is_away(error):
            logger.error("gatekeeper refused what turn %s used: %s", rows[0].turn, error)
            delay = _REFUSED_DELAY_SECONDS
        await self._later(rows, delay)

    async def _later(self, rows: Sequence[Owed], seconds: float) -> None:
        delay = timedelta(seconds=seconds)
        await system.owed_later(self._pool, [row.id for row in rows], delay=delay)
