"""What each replica does beside the calls: renew its lease, settle what dead ones left."""

import asyncio
import logging

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.failures import is_unavailable
from turnpike.database.replicas import RENEW_SECONDS, Lease
from turnpike.database.tenancy import system_transaction
from turnpike.tool_registry import metrics, orphans
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.execution import MAX_RUNNING, Executor
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.listening import Listeners
from turnpike.tool_registry.model import CallStatus
from turnpike.tool_registry.runs import Run

logger = logging.getLogger(__name__)

_MAX_DISCOVERIES = 16


class Upkeep:
    """The sweep of one replica, once a second.

    It is what brings a call on when nobody watches it.
    """

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        lease: Lease,
        executor: Executor,
        discoveries: Discoveries,
        links: Links,
        listeners: Listeners,
    ) -> None:
        self._listeners = listeners
        self._engine = engine
        self._lease = lease
        self._executor = executor
        self._discoveries = discoveries
        self._links = links
        self._is_draining = False

    async def begin(self) -> None:
        """Enters this replica among the living, and settles what its namesake left."""
        async with system_transaction(self._engine) as connection:
            await self._lease.register(connection)
            _count(await orphans.settle(connection))
        self._lease.confirm()

    async def stop_taking_after(self, draining: asyncio.Event) -> None:
        """Leaves new calls and discoveries to other replicas once `draining` is set."""
        await draining.wait()
        self._is_draining = True
        self._executor.stop_taking()
        self._listeners.follow([])
        try:
            async with system_transaction(self._engine) as connection:
                await orphans.let_go(connection, self._lease.id)
        except Exception as error:
            # What it serves still is worth more: others listen once this one is gone.
            if is_unavailable(error):
                logger.warning("postgres is away: %s", type(error).__name__)
            else:
                logger.exception("what this replica listened to is not let go")

    async def run(self) -> None:
        """Sweeps until cancelled, whatever fails: a lease that is not renewed tells by itself."""
        while True:
            started = asyncio.get_running_loop().time()
            try:
                await self._renew()
                await self._follow_ledger()
            except Exception as error:
                if is_unavailable(error):
                    logger.warning("postgres is away: %s", type(error).__name__)
                else:
                    logger.exception("the sweep failed")
            took = asyncio.get_running_loop().time() - started
            await asyncio.sleep(max(0.05, RENEW_SECONDS - took))

    async def _renew(self) -> None:
        async with system_transaction(self._engine) as connection:
            renewal = await self._lease.renew(connection)
        self._lease.confirm()
        if not renewal.alive:
            # Somebody declared this process dead, and settled its calls. It goes
            # on as another incarnation; what it still runs is not its any more.
            logger.warning("this replica was declared dead; it registers anew")
            await self.begin()
        for peer in renewal.silent:
            # Not in the transaction of the renewal: two that bury each other
            # would wait for each other's row.
            async with system_transaction(self._engine) as connection:
                if await self._lease.bury(connection, peer):
                    logger.warning("replica %s is dead", peer.name)
                    _count(await orphans.settle(connection))

    async def _follow_ledger(self) -> None:
        running = {run.call.effect: run for run in self._executor.runs()}
        room = max(0, MAX_RUNNING // 2 - len(running)) if self._executor.has_room else 0
        async with system_transaction(self._engine) as connection:
            # Also what a process wrote that did not know yet that it was dead.
            settled = await orphans.settle(connection)
            lost = await orphans.find_lost(
                connection, self._lease.id, [run.call for run in running.values()]
            )
            mine = await orphans.find_mine(connection, self._lease.id)
            taken = await orphans.take(connection, self._lease.id, room=room)
            await orphans.forget_sign_ins(connection)
            await orphans.forget_calls(connection)
            due = await orphans.find_due_connectors(connection, room=_MAX_DISCOVERIES)
            ears = (
                await orphans.take_ears(connection, self._lease.id, room=self._listeners.room)
                if not self._is_draining
                else []
            )
        _count(settled)
        _stop(running, lost)
        for call in (*mine, *taken):
            self._executor.start(call)
        if not self._is_draining:
            for tenant, name in due:
                self._discoveries.start(tenant, name)
            self._listeners.follow(ears)
        self._links.close_idle()


def _stop(running: dict[str, Run], lost: dict[str, CallStatus]) -> None:
    for effect, status in lost.items():
        if status is CallStatus.CANCELLED:
            running[effect].cancel()
        else:
            running[effect].abandon()


def _count(settled: orphans.Settled) -> None:
    metrics.ORPHANS.labels("unknown").inc(settled.unknown)
    metrics.ORPHANS.labels("due").inc(settled.due)
