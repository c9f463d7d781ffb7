"""The turns that a replica runs."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

from turnpike.agent_runtime.events.model import Claim
from turnpike.agent_runtime.turns.admission import Slot
from turnpike.agent_runtime.turns.allowance import Allowance
from turnpike.agent_runtime.turns.counting import IN_FLIGHT
from turnpike.agent_runtime.turns.drive import Driver
from turnpike.agent_runtime.turns.model import Turn
from turnpike.agent_runtime.turns.stopping import Stop


@dataclass(slots=True, eq=False)
class Running:
    """A turn that this replica runs, for one claim."""

    turn: Turn
    claim: Claim
    allowance: Allowance
    driver: Driver | None = None
    task: asyncio.Task[None] | None = None
    admitted: bool = False
    receipt_wanted: bool = False
    """Gatekeeper has lost the hold: the next heartbeat brings its receipt."""

    stopped: Stop | None = None
    over: bool = False
    """The turn has ended, or was given up: this claim writes nothing more."""

    @property
    def slot(self) -> Slot:
        """What a heartbeat says of it."""
        slot = self.allowance.slot
        return slot if self.receipt_wanted else replace(slot, receipt=b"")

    def stop(self, stop: Stop) -> None:
        """Ends the turn early; one that is not driven yet ends once it is."""
        self.stopped = self.stopped or stop
        if self.driver is not None:
            self.driver.stop(stop)


class Roster:
    """Who runs here, by turn; at most one claim each."""

    def __init__(self) -> None:
        self._running: dict[UUID, Running] = {}

    def __len__(self) -> int:
        return len(self._running)

    def __iter__(self) -> Iterator[Running]:
        return iter(list(self._running.values()))

    def __contains__(self, turn: UUID) -> bool:
        return turn in self._running

    def enter(self, running: Running) -> None:
        """Adds a turn, in place of an older claim of it.

        One whose reply came so late that there is a newer one is nobody: it ends at its
        first write.
        """
        known = self._running.get(running.turn.id)
        if known is None or known.claim.fence < running.claim.fence:
            self._running[running.turn.id] = running
        self._count()

    def leave(self, running: Running) -> None:
        """Takes a claim off, unless a newer one has its place."""
        if self._running.get(running.turn.id) is running:
            del self._running[running.turn.id]
        self._count()

    def clear(self) -> None:
        """Takes everything off."""
        self._running.clear()
        self._count()

    def find(self, turn: UUID) -> Running | None:
        """Returns the turn if it runs here."""
        return self._running.get(turn)

    @property
    def turns(self) -> list[UUID]:
        """The ids of all."""
        return list(self._running)

    @property
    def tasks(self) -> list[asyncio.Task[None]]:
        """The tasks that run them."""
        return [running.task for running in self if running.task is not None]

    @property
    def slots(self) -> list[Slot]:
        """What gatekeeper is to renew."""
        return [running.slot for running in self if running.admitted]

    def _count(self) -> None:
        IN_FLIGHT.set(len(self._running))
