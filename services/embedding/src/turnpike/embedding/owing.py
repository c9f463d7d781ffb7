"""What calls used and is to be settled, in Postgres until gatekeeper's ledger has it."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import system_transaction

logger = logging.getLogger(__name__)

_OWN_SECONDS = 15.0
"""How long whoever owes a call may take to settle it, before the sweep does."""

_OWE = text(
    "INSERT INTO usage_outbox"
    " (call, tenant, snapshot, model, tokens, cached_tokens, estimated, due_at)"
    " VALUES (:call, :tenant, :snapshot, :model, :tokens, :cached_tokens, :estimated,"
    " statement_timestamp() + :delay)"
    " ON CONFLICT (call) DO UPDATE SET estimated = excluded.estimated, due_at = excluded.due_at"
)
# Claimed for a while: whoever dies with it leaves it to the next one, and settling twice is
# settling once.
_CLAIM = text(
    "UPDATE usage_outbox SET due_at = statement_timestamp() + :hold, tries = tries + 1"
    " WHERE call IN (SELECT call FROM usage_outbox WHERE due_at <= statement_timestamp()"
    " ORDER BY due_at LIMIT :most FOR UPDATE SKIP LOCKED)"
    " RETURNING call, tenant, snapshot, model, tokens, cached_tokens, estimated, tries"
)
_LATER = text(
    "UPDATE usage_outbox SET due_at = statement_timestamp() + :delay WHERE call = ANY(:calls)"
)
_FORGET = text("DELETE FROM usage_outbox WHERE call = ANY(:calls)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """What one call used."""

    call: UUID
    tenant: UUID
    snapshot: bytes
    """Gatekeeper's: who pays, and at what prices."""

    model: str
    tokens: int
    cached_tokens: int
    estimated: bool
    tries: int = 0


async def owe(connection: AsyncConnection, owed: Owed) -> None:
    """Owes a call in the transaction that keeps what it was for."""
    await connection.execute(_OWE, _values(owed, _OWN_SECONDS))


class Outbox:
    """Owes what calls used; those that come while others are written go in the next batch."""

    def __init__(self, system: AsyncEngine) -> None:
        self._system = system
        self._new: list[tuple[dict[str, Any], asyncio.Future[None]]] = []
        self._gone: list[UUID] = []
        self._writing: asyncio.Task[None] | None = None

    async def owe(self, owed: Owed, *, seconds: float) -> None:
        """Owes a call, in place of what it owed before; raises what the database does."""
        written = asyncio.get_running_loop().create_future()
        self._new.append((_values(owed, seconds), written))
        self._write()
        await written

    def forget(self, owed: Owed) -> None:
        """Owes a call no more, soon: if never, it is settled again, which bills nothing."""
        self._gone.append(owed.call)
        self._write()

    async def claim(self, most: int, *, hold: timedelta) -> list[Owed]:
        """Returns what is due; nobody else is given it for as long as it is held."""
        async with system_transaction(self._system) as connection:
            rows = await connection.execute(_CLAIM, {"most": most, "hold": hold})
            return [Owed(**row) for row in rows.mappings()]

    async def later(self, calls: Sequence[UUID], *, seconds: float) -> None:
        """Puts off what was claimed."""
        async with system_transaction(self._system) as connection:
            values = {"calls": list(calls), "delay": timedelta(seconds=seconds)}
            await connection.execute(_LATER, values)

    async def close(self) -> None:
        """Waits until everything is written."""
        while self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)

    def _write(self) -> None:
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all(), name="owe")

    async def _write_all(self) -> None:
        try:
            while self._new or self._gone:
                new, self._new = self._new, []
                gone, self._gone = self._gone, []
                try:
                    await self._write_batch([values for values, _ in new], gone)
                except Exception as error:  # noqa: BLE001 # whoever owes it says what it means
                    outcome: Exception | None = error
                    logger.warning("%d settled calls will be settled again", len(gone))
                else:
                    outcome = None
                for _, written in new:
                    _tell(written, outcome)
        finally:
            self._writing = None

    async def _write_batch(self, new: Sequence[dict[str, Any]], gone: Sequence[UUID]) -> None:
        async with system_transaction(self._system) as connection:
            if new:
                await connection.execute(_OWE, new)
            if gone:
                await connection.execute(_FORGET, {"calls": list(gone)})


def _tell(written: asyncio.Future[None], outcome: Exception | None) -> None:
    if written.done():  # its caller has gone
        return
    if outcome is None:
        written.set_result(None)
    else:
        written.set_exception(outcome)


def _values(owed: Owed, seconds: float) -> dict[str, Any]:
    return {
        "call": owed.call,
        "tenant": owed.tenant,
        "snapshot": owed.snapshot,
        "model": owed.model,
        "tokens": owed.tokens,
        "cached_tokens": owed.cached_tokens,
        "estimated": owed.estimated,
        "delay": timedelta(seconds=seconds),
    }
