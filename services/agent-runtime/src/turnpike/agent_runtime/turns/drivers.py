"""The drivers of a replica's turns, from what was prepared to what an end frees."""

from collections.abc import Awaitable, Callable

from turnpike.agent_runtime.turns.admission import Admission
from turnpike.agent_runtime.turns.choosing import Sources
from turnpike.agent_runtime.turns.counting import TURNS
from turnpike.agent_runtime.turns.drive import Driver
from turnpike.agent_runtime.turns.endings import Finished
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.keeping import Keeper
from turnpike.agent_runtime.turns.model import TurnFailedError
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.preparing import Prepared, prepare_end
from turnpike.agent_runtime.turns.running import Running
from turnpike.agent_runtime.turns.settling import Settler
from turnpike.agent_runtime.turns.stopping import Stop
from turnpike.rpc.errors import RemoteError


class Drivers:
    """Drives turns; whoever reads that one has ended finds free what it held."""

    def __init__(
        self,
        parts: Parts,
        sources: Sources,
        admission: Admission,
        settler: Settler,
        keeper: Keeper,
    ) -> None:
        self._parts = parts
        self._sources = sources
        self._admission = admission
        self._settler = settler
        self._keeper = keeper

    async def go_on(self, running: Running, prepared: Prepared | Exception) -> None:
        """Drives a turn to its end, or until another replica is to go on.

        Raises:
            FenceLostError: Another claim owns the turn.
            Exception: Of whatever else failed, or preparing did; it is to be claimed again.
        """
        if isinstance(prepared, TurnFailedError):
            stop = Stop(status="FAILED", reason=prepared.reason, message=str(prepared))
            await self.end(running, stop)
        elif isinstance(prepared, Exception):
            raise prepared
        else:
            driver = self._driver(running, prepared)
            if running.stopped is not None:
                driver.stop(running.stopped)
            if self._keeper.draining:
                driver.hand_over()
            await self._drive(running, prepared, driver.run)

    async def end(self, running: Running, stop: Stop) -> None:
        """Ends a turn without running it.

        Raises:
            FenceLostError: Another claim owns the turn.
            Exception: Of whatever else failed; it is to be claimed again.
        """
        prepared = await prepare_end(self._sources, running.claim, running.turn)
        driver = self._driver(running, prepared)
        await self._drive(running, prepared, lambda: driver.end(stop))

    async def wait_for_admission(self, running: Running, refusal: RemoteError) -> None:
        """Leaves a turn that was paused to wait until it may go on, or ends it.

        Raises:
            FenceLostError: Another claim owns the turn.
            Exception: Of whatever else failed; it is to be claimed again.
        """
        prepared = await prepare_end(self._sources, running.claim, running.turn)
        driver = self._driver(running, prepared)
        await self._drive(running, prepared, lambda: driver.wait_for_admission(refusal))

    def _driver(self, running: Running, prepared: Prepared) -> Driver:
        running.driver = Driver(
            self._parts,
            running.claim,
            running.turn,
            prepared,
            running.allowance,
            on_end=lambda finished: self._on_end(running, finished),
            on_pause=lambda: self._on_pause(running),
        )
        return running.driver

    async def _drive(
        self, running: Running, prepared: Prepared, work: Callable[[], Awaitable[None]]
    ) -> None:
        tails, turn = self._parts.tails, running.turn.id
        tails.own(turn, prepared.last_seq)
        try:
            await work()
        except ExceptionGroup as failures:
            raise first_of(failures) from failures
        finally:
            await tails.disown(turn)

    async def _on_end(self, running: Running, finished: Finished) -> None:
        """Frees what an ended turn held, before anybody sees its end."""
        running.over = True
        if running.driver is not None:
            TURNS.labels(result=running.driver.status).inc()
        if finished.promoted:
            self._keeper.due.set()
        # A claim before this one may have left a slot, and died.
        if running.admitted or running.turn.fence > 1:
            running.admitted = False
            await self._settler.end(running.slot, finished.owed)
        else:
            self._settler.owed()

    async def _on_pause(self, running: Running) -> None:
        """Frees what a turn held that waits for something, before anybody sees that it does."""
        running.over = True
        if running.admitted:
            running.admitted = False
            await self._admission.free(running.slot)
        self._settler.owed()
