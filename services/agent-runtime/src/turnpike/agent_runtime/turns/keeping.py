"""Keeping what a replica has: its lease, its turns' slots, and nobody forgotten."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.turns import system
from turnpike.agent_runtime.turns.admission import Admission
from turnpike.agent_runtime.turns.counting import TAKEOVERS
from turnpike.agent_runtime.turns.model import Turn
from turnpike.agent_runtime.turns.running import Roster, Running
from turnpike.agent_runtime.turns.signals import Signals
from turnpike.agent_runtime.turns.stopping import CANCEL, Stop
from turnpike.database.failures import is_unavailable
from turnpike.database.replicas import RENEW_SECONDS, Lease
from turnpike.database.tenancy import system_transaction
from turnpike.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 0.5
_HEARTBEAT_SECONDS = 0.5
_STRAYS_EACH_RENEWALS = 2
_ORPHANS_EACH_RENEWALS = 10
_MOST_CLAIMED_AT_ONCE = 100
_RETRY = timedelta(seconds=1)
_GIVE_UP_SECONDS = 3.0
_REVOKED = {"KEY_REVOKED": "its key was revoked"}
_BANNED = "the turn's principal was banned"


class Keeper:
    """Renews the lease and the slots, and claims what is due.

    `serve` must be running. What it claims goes to `take_over`.
    """

    def __init__(
        self,
        *,
        lease: Lease,
        engine: AsyncEngine,
        admission: Admission,
        signals: Signals,
        roster: Roster,
        capacity: int,
        take_over: Callable[[Turn], None],
    ) -> None:
        self._lease = lease
        self._engine = engine
        self._admission = admission
        self._signals = signals
        self._roster = roster
        self._capacity = capacity
        self._take_over = take_over
        self._abandoned: list[Running] = []
        self._strays: set[tuple[UUID, int]] = set()
        self._reborn = asyncio.Event()
        self.due = asyncio.Event()
        """Set when something may be due: the next sweep comes at once."""

        self.draining = False
        """Set when this replica is to claim nothing more."""

        self.ready = asyncio.Event()
        """Set once the lease is held."""

    @property
    def accepts(self) -> bool:
        """Whether this replica may start or take over another turn."""
        return not self.draining and self._lease.is_fresh() and len(self._roster) < self._capacity

    async def serve(self) -> None:
        """Keeps the lease, sweeps and renews slots until cancelled."""
        await _patiently(self._register)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._renew_forever())
            group.create_task(self._sweep_forever())
            group.create_task(self._heartbeat_forever())
            group.create_task(self._listen_forever())

    async def give_up(self, running: Running, *, forgive: bool) -> None:
        """Makes a turn due that this replica does not run any more.

        Does nothing when it is another claim's already. When Postgres is away, the
        next renewal does it. `forgive` does not count the claim against the turn.
        """
        delay = timedelta() if self.draining else _RETRY
        try:
            async with asyncio.timeout(_GIVE_UP_SECONDS):
                await self.let_go(running, delay=delay, forgive=forgive or self.draining)
        except Exception as error:
            if not is_unavailable(error):
                raise
            self._abandoned.append(running)
        if self.draining:
            await self._signals.due()

    async def let_go(self, running: Running, *, delay: timedelta, forgive: bool) -> None:
        """Gives a turn up, to be claimed after a delay; see `system.let_go`."""
        claim = running.claim
        async with system_transaction(self._engine) as connection:
            await system.let_go(
                connection,
                turn=claim.turn,
                owner=claim.owner,
                fence=claim.fence,
                delay=delay,
                forgive=forgive,
            )
        running.over = True

    async def let_go_of_abandoned(self) -> None:
        """Gives up what could not be given up before."""
        abandoned, self._abandoned = self._abandoned, []
        for running in abandoned:
            await self.give_up(running, forgive=False)

    async def _register(self) -> None:
        async with system_transaction(self._engine) as connection:
            for dead in await self._lease.register(connection):
                TAKEOVERS.inc(await system.make_due(connection, dead))
        self._lease.confirm()
        self.due.set()
        self.ready.set()

    async def _renew_forever(self) -> None:
        renewals = 0
        while True:
            await _patiently(self._renew)
            if renewals % _STRAYS_EACH_RENEWALS == 0:
                await _patiently(self._let_go_of_strays)
            if renewals % _ORPHANS_EACH_RENEWALS == 0:
                await _patiently(self._free_orphans)
            renewals += 1
            await asyncio.sleep(RENEW_SECONDS)

    async def _renew(self) -> None:
        async with system_transaction(self._engine) as connection:
            renewal = await self._lease.renew(connection)
            owned = await system.owned_by(connection, self._lease.id, running=self._roster.turns)
        self._lease.confirm()
        if not renewal.alive:
            await self._start_anew()
            return
        for each in owned:
            if each.desired and (running := self._roster.find(each.turn)):
                running.stop(CANCEL)
        for peer in renewal.silent:
            async with system_transaction(self._engine) as connection:
                if await self._lease.bury(connection, peer):
                    TAKEOVERS.inc(await system.make_due(connection, peer.id))
                    self.due.set()
        await self.let_go_of_abandoned()

    async def _let_go_of_strays(self) -> None:
        """Gives up what this replica owns and has not run for a whole interval.

        A claim whose reply was lost, on whichever way, would have no other end.
        """
        async with system_transaction(self._engine) as connection:
            owned = await system.owned_by(connection, self._lease.id, running=self._roster.turns)
        strays = {(each.turn, each.fence) for each in owned if each.turn not in self._roster}
        for turn, fence in strays & self._strays:
            logger.warning("turn %s was owned here and did not run; it is due again", turn)
            async with system_transaction(self._engine) as connection:
                await system.let_go(
                    connection,
                    turn=turn,
                    owner=self._lease.id,
                    fence=fence,
                    delay=timedelta(),
                    forgive=False,
                )
            self.due.set()
        self._strays = strays

    async def _free_orphans(self) -> None:
        async with system_transaction(self._engine) as connection:
            if freed := await system.free_orphans(connection):
                TAKEOVERS.inc(freed)
                self.due.set()

    async def _start_anew(self) -> None:
        """Goes on as a new incarnation: what this one ran is others' by now."""
        logger.warning("this replica was declared dead; it gives up what it ran")
        for task in self._roster.tasks:
            task.cancel()
        self._roster.clear()
        self._abandoned.clear()
        await self._register()
        self._reborn.set()

    async def _sweep_forever(self) -> None:
        while True:
            # Before the look, or what becomes due during it waits for the next one.
            self.due.clear()
            await _patiently(self._sweep)
            pause = _SWEEP_SECONDS * random.uniform(0.8, 1.2)  # noqa: S311 # jitter
            try:
                async with asyncio.timeout(pause):
                    await self.due.wait()
            except TimeoutError:
                continue

    async def _sweep(self) -> None:
        if not self.accepts:
            return
        room = self._capacity - len(self._roster)
        async with system_transaction(self._engine) as connection:
            turns = await system.claim_due(
                connection,
                owner=self._lease.id,
                owner_name=self._lease.name,
                limit=min(room, _MOST_CLAIMED_AT_ONCE),
            )
        for turn in turns:
            self._take_over(turn)

    async def _heartbeat_forever(self) -> None:
        while True:
            # Who was asked for receipts brings them at once.
            if not await self._heartbeat():
                await asyncio.sleep(_HEARTBEAT_SECONDS)

    async def _heartbeat(self) -> bool:
        """Renews the slots; says whether gatekeeper asked for receipts that there are."""
        slots = self._roster.slots
        if not slots:
            return False
        try:
            beat = await self._admission.heartbeat(self._lease.id, slots)
        except RemoteError:
            return False
        for turn, reason in beat.revoked.items():
            if running := self._roster.find(turn):
                running.stop(_revoked(reason))
        brought = {slot.turn for slot in slots if slot.receipt}
        for running in self._roster:
            running.receipt_wanted = running.turn.id in beat.missing
        return any(
            running.receipt_wanted and running.slot.receipt and running.turn.id not in brought
            for running in self._roster
        )

    async def _listen_forever(self) -> None:
        while True:
            self._reborn.clear()
            async with asyncio.TaskGroup() as group:
                listening = group.create_task(
                    self._signals.listen(
                        self._lease.id, on_cancel=self._cancel, on_due=self.due.set
                    )
                )
                # A new incarnation has another channel.
                await self._reborn.wait()
                listening.cancel()

    def _cancel(self, turn: UUID) -> None:
        if running := self._roster.find(turn):
            running.stop(CANCEL)


def _revoked(reason: str) -> Stop:
    return Stop(status="FAILED", reason=reason, message=_REVOKED.get(reason, _BANNED))


async def _patiently(attempt: Callable[[], Awaitable[None]]) -> None:
    try:
        await attempt()
    except Exception as error:
        if not is_unavailable(error):
            raise
        logger.warning("postgres is away")
