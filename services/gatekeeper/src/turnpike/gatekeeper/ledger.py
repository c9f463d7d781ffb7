"""The usage ledger: what was used, and what it cost."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID, uuid5

import asyncpg

from turnpike.gatekeeper.model import MissingError
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.terms import Entry, Snapshot, Tariff, Usage

_TIMEOUT_SECONDS = 5.0

_SETTLE = (
    "SELECT * FROM settle($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,"
    " $17, $18, $19, $20, $21, $22, $23)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What a settlement made of an account."""

    version: int
    changed: int
    settled: int
    cost: int
    """What its entries cost in micro-dollars, those the ledger had included."""


def entry_of(turn: UUID, used: Usage, tariff: Tariff) -> Entry:
    """Returns the row of the ledger that a call's usage is.

    Its id is derived from (turn, step, call, attempt) and from nothing else.
    """
    own_key = used.own_key or used.model in tariff.own_keys
    # What the platform asks for itself is recorded, and is nobody's to pay here.
    free = own_key or used.kind == "internal"
    return Entry(
        id=uuid5(turn, f"{used.step}.{used.call}.{used.attempt}"),
        usage=used,
        cost=0 if free else tariff.of(used.model).cost(used),
        default_price=not free and tariff.is_default(used.model),
        own_key=own_key,
    )


class Ledger:
    """Writes what was used, once. Nothing that is in it changes."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def settle(
        self, snapshot: Snapshot, segment: int, entries: Sequence[Entry]
    ) -> Settlement:
        """Writes entries that the ledger does not have yet, in one round trip.

        The counters and the account's version change in the same transaction.

        Raises:
            MissingError: There is no such tenant.
            UnavailableError: Postgres does not answer.
        """
        values = [
            snapshot.tenant,
            snapshot.turn,
            segment,
            snapshot.principal,
            snapshot.key,
            snapshot.agent,
            snapshot.payer,
            snapshot.plan,
            *_columns(entries),
        ]
        try:
            with postgres_answers():
                async with self._pool.acquire(timeout=_TIMEOUT_SECONDS) as connection:
                    row = await connection.fetchrow(_SETTLE, *values, timeout=_TIMEOUT_SECONDS)
        except asyncpg.ForeignKeyViolationError as error:
            raise MissingError("tenant", snapshot.tenant) from error
        assert row is not None  # noqa: S101 -- the function returns one row
        return Settlement(**row)


def _columns(entries: Sequence[Entry]) -> list[list[object]]:
    names = ("step", "call", "attempt", "kind", "model")
    counts = ("input", "cached", "written", "output", "reasoning")
    return [
        [entry.id for entry in entries],
        *([getattr(entry.usage, name) for entry in entries] for name in (*names, *counts)),
        [entry.cost for entry in entries],
        [entry.default_price for entry in entries],
        [entry.own_key for entry in entries],
        [entry.usage.estimated for entry in entries],
    ]
