"""Settling proxied calls: what they use is owed before it is known, and again when it is."""

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from turnpike.agent_runtime.completions.admission import Admitted, Door
from turnpike.agent_runtime.completions.model import Told
from turnpike.agent_runtime.completions.store import OutboxStore
from turnpike.agent_runtime.models.prompt import Model, UsagePiece
from turnpike.database.failures import is_unavailable

logger = logging.getLogger(__name__)

# Longer than any call: what is due by then is of a replica that died.
_ABANDONED_AFTER = timedelta(hours=2)
_TRIED_FOR_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 0.1
_LONGEST_DELAY_SECONDS = 2.0


class Settlement:
    """What one call owes. It is billed by what it used when it ends, whoever ends it.

    Args:
        store: The outbox.
        door: Takes the slot back.
        admitted: The call.
        owed: Told that something is to be settled.
    """

    def __init__(
        self, store: OutboxStore, door: Door, admitted: Admitted, owed: Callable[[], None]
    ) -> None:
        self._store = store
        self._door = door
        self._admitted = admitted
        self._owed = owed
        self._begun = asyncio.Event()

    async def begin(self) -> None:
        """Owes the prompt, as it is reckoned, in case this replica dies."""
        used = UsagePiece(input_tokens=self._admitted.question.size // 4, output_tokens=0)
        try:
            await self._owe(used, _ABANDONED_AFTER, None, estimated=True)
        finally:
            self._begun.set()

    async def end(self, told: Told) -> None:
        """Owes what was used, now, and gives the slot back."""
        await self._begun.wait()
        used, estimated = told.used(self._admitted.question.size)
        await self._owe(used, timedelta(0), told.model, estimated=estimated)
        self._owed()
        await self._door.free(self._admitted)

    async def _owe(
        self, used: UsagePiece, delay: timedelta, by: Model | None, *, estimated: bool
    ) -> None:
        admitted, loop = self._admitted, asyncio.get_running_loop()
        give_up_at, pause = loop.time() + _TRIED_FOR_SECONDS, _FIRST_DELAY_SECONDS
        while True:
            try:
                await self._store.owe(
                    admitted.question,
                    admitted.snapshot,
                    _entries(admitted, used, by, estimated=estimated),
                    delay=delay,
                )
            except Exception as error:
                if not is_unavailable(error):
                    raise
                if loop.time() + pause > give_up_at:
                    logger.warning("what call %s used is not kept", admitted.question.id)
                    return
            else:
                return
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_DELAY_SECONDS)


def _entries(
    admitted: Admitted, used: UsagePiece, by: Model | None, *, estimated: bool
) -> list[dict[str, Any]]:
    if not admitted.snapshot or not (used.input_tokens or used.output_tokens):
        return []
    paid = {"own_key": True} if by is not None and by.costs_nothing else {}
    return [
        paid
        | {
            "step": 1,
            "call": 0,
            "attempt": 1,
            "kind": "CHAT",
            "model": by.name if by is not None else admitted.model,
            "input_tokens": used.input_tokens,
            "cached_tokens": used.cached_tokens,
            "cache_write_tokens": used.cache_write_tokens,
            "output_tokens": used.output_tokens,
            "reasoning_tokens": used.reasoning_tokens,
            "estimated": estimated,
        }
    ]
