"""Leaving a turn to wait: for people, for its provider, for room."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from turnpike.agent_runtime.approvals.counting import PAUSED
from turnpike.agent_runtime.events.model import Batch, Claim
from turnpike.agent_runtime.events.writer import LogWriter
from turnpike.agent_runtime.turns import stating
from turnpike.agent_runtime.turns.allowance import Allowance
from turnpike.agent_runtime.turns.asking import ProviderWaitError
from turnpike.agent_runtime.turns.model import Step, TurnFailedError
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.pausing import Pause
from turnpike.rpc.errors import RemoteError

# Of a turn that was paused, and is not let in: how often, and for how long, it is tried.
_SOON = timedelta(seconds=1)
_LOOK = timedelta(seconds=30)
_WINDOW = timedelta(hours=24)


class Pauses:
    """The ways in which a turn is left to wait, owned by nobody.

    Each method writes the pause, and raises `FenceLostError` when another claim
    owns the turn, `CancelDesiredError` when it is to end instead.
    """

    def __init__(
        self,
        parts: Parts,
        claim: Claim,
        allowance: Allowance,
        writer: LogWriter,
        *,
        on_pause: Callable[[], Awaitable[None]],
    ) -> None:
        self._parts = parts
        self._claim = claim
        self._allowance = allowance
        self._writer = writer
        self._on_pause = on_pause
        self.stands = False
        """Whether a pause is written: what ends the turn from here on is another claim."""

    async def for_people(self, step: Step, pause: Pause) -> None:
        """Waits until somebody has decided about calls of a step."""

        async def store(batch: Batch) -> None:
            await self._allowance.kept()
            await self._parts.store.pause(self._claim, step, pause, batch)
            await self._stood()

        await self._writer.commit([pause.stated], store)
        for item in pause.items:
            PAUSED.labels(subject=str(item.subject)).inc()

    async def for_provider(self, wait: ProviderWaitError) -> None:
        """Waits until the provider may be back.

        Raises:
            TurnFailedError: The turn may not wait any longer.
        """

        async def store(batch: Batch) -> None:
            await self._allowance.kept()
            patience = self._parts.patience.turn
            await self._parts.store.wait_for_provider(self._claim, wait, patience, batch)
            await self._stood()

        await self._writer.commit([{"model_retrying": wait.event}], store)

    async def for_admission(self, refusal: RemoteError, *, told: str) -> None:
        """Waits until a turn that was paused before is let in again.

        Args:
            refusal: Why it is not, now.
            told: The reason of which its readers know.

        Raises:
            TurnFailedError: The turn may not wait any longer.
        """
        reason = refusal.reason or "UNAVAILABLE"
        delay = min(refusal.retry_after or _SOON, _LOOK)

        async def store(batch: Batch | None) -> None:
            waits = await self._parts.store.wait_for_admission(
                self._claim, reason=reason, delay=delay, patience=_WINDOW, batch=batch
            )
            if not waits:
                raise TurnFailedError(reason, refusal.message)
            await self._stood()

        if reason == told:
            await store(None)
        else:
            await self._writer.commit([stating.awaiting(reason, delay)], store)

    async def _stood(self) -> None:
        self.stands = True
        # Before anybody sees the pause: its slot is free.
        await self._on_pause()
