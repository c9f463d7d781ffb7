"""A turn as what another vendor's client is told."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.gateway.forms import Form
from turnpike.gateway.logs import Log, LogInterruptedError
from turnpike.gateway.metrics import EVENTS
from turnpike.gateway.problems import ProblemError
from turnpike.gateway.projection import Projection

_STATUS_SECONDS = 5.0
PAUSES = frozenset({"approval"})
"""What a turn waits for that somebody has to do."""


class TurnSource:
    """A turn's log in another vendor's form.

    Args:
        log: From event 1.
        form: The form.
        projection: Tells the log in it.
        look: Returns the turn as it stands.
        resumable: Whether the client can come again and go on.
    """

    def __init__(
        self,
        log: Log,
        form: Form,
        projection: Projection,
        look: Callable[[], Awaitable[Turn]],
        *,
        resumable: bool = False,
    ) -> None:
        self.resumable = resumable
        self._log = log
        self._form = form
        self._projection = projection
        self._look = look

    @property
    def ended(self) -> bool:
        """Whether the client was told the end."""
        return self._projection.ended

    def opening(self) -> bytes:
        """Returns what is there already."""
        events = self._log.take()
        EVENTS.inc(len(events))
        return self._form.begin() + self._projection.take(events)

    async def read(self) -> bytes:
        """Returns what comes next."""
        if self._projection.asks:
            self._projection.asks = False
            if told := await self.at_rest():
                return told
        try:
            events = await self._log.read()
        except LogInterruptedError:
            if self.resumable:
                raise
            return self._projection.fail(interrupted(self._projection.notes))
        EVENTS.inc(len(events))
        return self._projection.take(events)

    async def at_rest(self) -> bytes:
        """Returns the end where the turn waits for somebody, else nothing."""
        turn = await self._look()
        if self.ended or not self._waits(turn):
            return b""
        return self._projection.rest(turn)

    async def whole(self, upto: int | None = None) -> None:
        """Tells the log to its end, to a number, or until the turn waits for somebody.

        What was voided is not told: whoever is told everything at once has been
        shown nothing.

        Raises:
            ProblemError: The log cannot be followed now.
        """
        told = _standing([], self._log.take())
        paused: Turn | None = None
        while not self._log.ended and (upto is None or self._log.seq < upto):
            # What is asked is told at once; whatever else is waited for after a silence.
            asks = bool(told) and told[-1].HasField("approval_required")
            further, paused = await self._further(patience=0 if asks else _STATUS_SECONDS)
            if paused is not None:
                break
            told = _standing(told, further)
        self._form.begin()
        self._projection.take(told)
        if paused is not None and not self._projection.ended:
            self._projection.rest(paused)

    async def _further(self, patience: float) -> tuple[Sequence[Event], Turn | None]:
        """Returns what comes next, or the turn where it waits for somebody."""
        reading = asyncio.ensure_future(self._log.read())
        try:
            while not (await asyncio.wait({reading}, timeout=patience))[0]:
                if self._waits(turn := await self._look()):
                    return (), turn
                patience = _STATUS_SECONDS
            return reading.result(), None
        except LogInterruptedError:
            raise interrupted(self._projection.notes) from None
        finally:
            reading.cancel()

    def _waits(self, turn: Turn) -> bool:
        """Whether it waits for somebody, and all that came before is read."""
        return turn.waiting_for in PAUSES and turn.seq <= self._log.seq

    def close(self) -> None:
        """Hangs up; the turn goes on."""
        self._log.close()


def _standing(events: list[Event], further: Iterable[Event]) -> list[Event]:
    """Returns the events that stand after further ones."""
    for event in further:
        if event.HasField("log_reset"):
            after = event.log_reset.after_seq
            events = [each for each in events if each.seq <= after]
        else:
            events.append(event)
    return events


def interrupted(notes: Mapping[str, str]) -> ProblemError:
    """Returns the end of a stream whose log no replica shows now."""
    return ProblemError(
        503,
        "UNAVAILABLE",
        "the turn goes on, and cannot be followed now: read it again",
        metadata=notes,
        retry_after=1,
        began=True,
    )
