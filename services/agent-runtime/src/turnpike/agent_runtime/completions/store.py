"""What proxied calls owe gatekeeper, in Postgres."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import asyncpg
import orjson

from turnpike.agent_runtime.completions.model import Question

_OWE = "SELECT owe_call($1, $2, $3, $4, $5)"


class OutboxStore:
    """Writes the outbox of what is to be settled; who drains it is not here."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def owe(
        self,
        question: Question,
        snapshot: bytes,
        entries: Sequence[Mapping[str, Any]],
        *,
        delay: timedelta,
    ) -> None:
        """Owes entries of a call, in place of what it owed before, and its end.

        Args:
            question: The call.
            snapshot: What it was admitted by.
            entries: What it used, as gatekeeper's messages have it.
            delay: How long until it is due.
        """
        document = orjson.dumps(list(entries)).decode()
        await self._pool.execute(
            _OWE, question.tenant, question.id, snapshot or None, document, delay
        )
