"""Owning turns: what this replica starts, takes over, and hands on."""

import asyncio
import logging
from collections.abc import Awaitable
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.approvals.expiring import Expired, Expiry
from turnpike.agent_runtime.events.model import Claim, FenceLostError
from turnpike.agent_runtime.turns.admission import SYNC, Admission, Slot, is_away
from turnpike.agent_runtime.turns.allowance import Allowance
from turnpike.agent_runtime.turns.choosing import Chosen, Sources, choose
from turnpike.agent_runtime.turns.counting import FENCES_REFUSED
from turnpike.agent_runtime.turns.drivers import Drivers
from turnpike.agent_runtime.turns.failures import caught
from turnpike.agent_runtime.turns.keeping import Keeper
from turnpike.agent_runtime.turns.model import Turn
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.preparing import Prepared, prepare
from turnpike.agent_runtime.turns.running import Roster, Running
from turnpike.agent_runtime.turns.segments import admit, admit_again
from turnpike.agent_runtime.turns.settling import Settler
from turnpike.agent_runtime.turns.signals import Signals
from turnpike.agent_runtime.turns.stopping import CANCEL, Stop
from turnpike.database.replicas import Lease
from turnpike.rpc.errors import RemoteError, UnavailableError

logger = logging.getLogger(__name__)

_LAST_CLAIM = 3
_RETRY = timedelta(seconds=1)
# What waiting does not mend.
_FINAL = frozenset({"BANNED", "BUDGET_EXHAUSTED", "SNAPSHOT_INVALID"})
# What ends a turn that was paused; a budget may be raised.
_ENDING = _FINAL - {"BUDGET_EXHAUSTED"}
_HAND_OVER_SECONDS = 5.0

EXPIRE = Stop(status="EXPIRED", reason="DEADLINE_EXCEEDED", message="its thread was never free")
UNDECIDED = Stop(
    status="EXPIRED", reason="APPROVAL_EXPIRED", message="nobody decided about it in time"
)
POISON = Stop(
    status="FAILED", reason="POISONED", message="three owners in turn made no progress with it"
)


class Owner:
    """Runs turns on this replica, and takes over those that lost their owner.

    `serve` must be running. A turn that is owned here is driven here: whatever ends
    its task, it has ended, or is made due in the same breath; and what slips through
    is found by the keeper.
    """

    def __init__(
        self,
        *,
        lease: Lease,
        system_engine: AsyncEngine,
        parts: Parts,
        sources: Sources,
        admission: Admission,
        settler: Settler,
        signals: Signals,
        expiry: Expiry,
        capacity: int,
    ) -> None:
        self._expiry = expiry
        self.lease = lease
        self._parts = parts
        self._sources = sources
        self._admission = admission
        self._settler = settler
        self._signals = signals
        self._roster = Roster()
        self._keeper = Keeper(
            lease=lease,
            engine=system_engine,
            admission=admission,
            signals=signals,
            roster=self._roster,
            capacity=capacity,
            take_over=self._take_over,
        )
        self._drivers = Drivers(parts, sources, admission, settler, self._keeper)
        self._group: asyncio.TaskGroup | None = None

    async def may_start(self) -> bool:
        """Says whether this replica may start another turn.

        One that was stopped and goes on renews its lease in a moment, and is waited for.
        """
        await self.lease.freshened()
        return self._keeper.accepts

    @property
    def ready(self) -> asyncio.Event:
        """Set once the lease is held."""
        return self._keeper.ready

    def owed(self) -> None:
        """Says that something is to be settled: it is looked for at once."""
        self._settler.owed()

    async def serve(self) -> None:
        """Keeps the lease, sweeps, renews slots and settles what is owed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(self._settler.serve())
            group.create_task(self._parts.titles.serve())
            group.create_task(self._keeper.serve())

    async def start(self, turn: Turn, *, new_thread: bool) -> None:
        """Admits a turn that was claimed for this replica just now, and runs it.

        It goes on when the caller is cancelled.

        Raises:
            RemoteError: It was refused; the turn has ended as REFUSED.
            UnavailableError: It was refused, which could not be stored; asking again
                with the same request finds what became of it.
        """
        running = self._enter(turn)
        told: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self._spawn(running, self._start(running, told, new_thread=new_thread))
        refusal = await asyncio.shield(told)
        if refusal is not None:
            raise refusal

    def stop(self, turn: UUID, stop: Stop) -> None:
        """Ends a turn that runs here; does nothing when it does not."""
        if running := self._roster.find(turn):
            running.stop(stop)

    async def request_cancel(self, owner: UUID | None, turn: UUID) -> None:
        """Makes a desired cancellation happen soon, wherever the turn is."""
        if owner is None:
            await self.wake()
        elif owner == self.lease.id:
            self.stop(turn, CANCEL)
        else:
            await self._signals.cancel(owner, turn)

    async def wake(self) -> None:
        """Has every replica look at once for what is due."""
        self._keeper.due.set()
        await self._signals.due()

    async def drain(self, grace: timedelta) -> None:
        """Takes no more turns, finishes steps for a while, and hands the rest over."""
        self._keeper.draining = True
        for running in self._roster:
            if running.driver is not None:
                running.driver.hand_over()
        try:
            async with asyncio.timeout(grace.total_seconds()):
                while tasks := self._roster.tasks:
                    await asyncio.wait(tasks)
        except TimeoutError:
            left = self._roster.tasks
            for task in left:
                task.cancel()
            await asyncio.wait(left, timeout=_HAND_OVER_SECONDS)
        await self._keeper.let_go_of_abandoned()
        await self._signals.due()

    def _enter(self, turn: Turn) -> Running:
        claim = Claim(
            tenant=turn.tenant,
            turn=turn.id,
            thread=turn.thread,
            fence=turn.fence,
            owner=self.lease.id,
        )
        slot = Slot(
            turn=turn.id,
            tenant=turn.tenant,
            principal=turn.principal,
            api_key=turn.api_key,
            segment=turn.standing.segment,
        )
        allowance = Allowance(
            self._admission,
            slot,
            turn.standing,
            keep=partial(self._parts.store.commit_admitted, claim),
            patience=self._parts.patience.turn,
        )
        running = Running(turn, claim, allowance)
        self._roster.enter(running)
        return running

    def _take_over(self, turn: Turn) -> None:
        running = self._enter(turn)
        self._spawn(running, self._resume(running))

    def _spawn(self, running: Running, work: Awaitable[None]) -> None:
        if self._group is None:
            raise RuntimeError("the owner does not serve")
        running.task = self._group.create_task(self._guarded(running, work))

    async def _guarded(self, running: Running, work: Awaitable[None]) -> None:
        """Runs a turn's work; whatever it comes to, the turn has ended or is due."""
        forgive = False
        try:
            await work
        except FenceLostError:
            FENCES_REFUSED.inc()
            logger.info("turn %s belongs to another claim", running.turn.id)
        except RemoteError as error:
            logger.warning("turn %s could not go on: %s", running.turn.id, error)
            # A service that is away is no fault of the turn's.
            forgive = is_away(error)
        except Exception:
            logger.exception("turn %s could not go on here", running.turn.id)
        finally:
            self._roster.leave(running)
            if not running.over:
                await self._keeper.give_up(running, forgive=forgive)

    async def _start(
        self, running: Running, told: "asyncio.Future[Exception | None]", *, new_thread: bool
    ) -> None:
        turn, refusal = running.turn, None
        try:
            chosen = await caught(choose(self._sources, turn, new_thread=new_thread))
            async with asyncio.TaskGroup() as group:
                preparing = group.create_task(
                    caught(self._prepare(running, chosen, new_thread=new_thread))
                )
                refusal = await admit(self._admission, running, chosen, SYNC)
                if refusal is None:
                    told.set_result(None)
                else:
                    preparing.cancel()
            if refusal is None:
                await self._drivers.go_on(running, preparing.result())
            else:
                await self._refuse(running, refusal)
        finally:
            if not told.done():
                # The refusal is durable before the caller hears of it.
                lost = UnavailableError("the turn could not be refused; ask again")
                told.set_result(refusal if running.over and refusal else lost)

    async def _resume(self, running: Running) -> None:
        turn = running.turn
        if turn.desired == "cancel":
            await self._drivers.end(running, CANCEL)
        elif turn.waiting_for == "approval":
            await self._expire(running)
        elif turn.status == "QUEUED":
            await self._drivers.end(running, EXPIRE)
        elif turn.fruitless > _LAST_CLAIM:
            await self._drivers.end(running, POISON)
        else:
            chosen = await caught(choose(self._sources, turn, new_thread=False))
            if refusal := await admit_again(self._admission, running, chosen):
                await self._not_admitted(running, refusal)
            else:
                preparing = self._prepare(running, chosen, new_thread=False)
                await self._drivers.go_on(running, await caught(preparing))

    async def _prepare(
        self, running: Running, chosen: Chosen | Exception, *, new_thread: bool
    ) -> Prepared:
        if isinstance(chosen, Exception):
            raise chosen
        return await prepare(
            self._sources, running.claim, running.turn, chosen, new_thread=new_thread
        )

    async def _refuse(self, running: Running, refusal: Exception) -> None:
        if not isinstance(refusal, RemoteError):
            raise refusal
        reason = refusal.reason or "UNAVAILABLE"
        await self._drivers.end(
            running, Stop(status="REFUSED", reason=reason, message=refusal.message)
        )

    async def _expire(self, running: Running) -> None:
        """Ends the wait of a turn whose approval nobody decided in time."""
        if await self._expiry.settle(running.claim) is Expired.END:
            await self._drivers.end(running, UNDECIDED)
            return
        running.over = True
        self._keeper.due.set()

    async def _not_admitted(self, running: Running, refusal: Exception) -> None:
        if not isinstance(refusal, RemoteError):
            raise refusal
        if running.turn.standing.segment > 1 and refusal.reason not in _ENDING:
            # What somebody decided is not lost because there is no room, or no money, now.
            await self._drivers.wait_for_admission(running, refusal)
            return
        if refusal.reason not in _FINAL:
            # No room now: the turn waits, owned by nobody, and is claimed again.
            delay = refusal.retry_after or _RETRY
            await self._keeper.let_go(running, delay=delay, forgive=True)
            return
        began = running.turn.committed_seq > 0 or running.turn.fence > 1
        status = "FAILED" if began else "REFUSED"
        await self._drivers.end(
            running, Stop(status=status, reason=refusal.reason, message=refusal.message)
        )
