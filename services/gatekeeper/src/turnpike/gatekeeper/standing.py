"""What Postgres says of those who ask for an admission: the one hot statement."""

import asyncpg

from turnpike.gatekeeper.model import Segment
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.refusals import BannedError
from turnpike.gatekeeper.terms import Budget, Price, Rate, Snapshot, Standing

_TIMEOUT_SECONDS = 2.0

_COLUMNS = ("scopes", "subjects", "periods", "limits", "spent", "resets")

_READ = "SELECT * FROM read_standing($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"


class Standings:
    """Reads bans, plans and what was spent from the primary, in one round trip each.

    Args:
        pool: The service's own role.
        default: What a model without a price costs where the tenant says nothing.
        billing: Whether budgets and plans' caps count.
    """

    def __init__(self, pool: asyncpg.Pool, *, default: Price, billing: bool) -> None:
        self._pool = pool
        self._default = default
        self._billing = billing

    async def read(
        self, segment: Segment, snapshot: Snapshot | None = None, *, look: bool = False
    ) -> Standing | None:
        """Returns how a segment stands; None when there is no such tenant.

        With a snapshot its payer and plan are the snapshot's.

        Args:
            segment: What asks.
            snapshot: What the turn was given at first.
            look: Write nothing down of the tenant's slots.

        Raises:
            BannedError: Somebody is kept out.
            UnavailableError: Postgres does not answer.
        """
        with postgres_answers():
            async with self._pool.acquire(timeout=_TIMEOUT_SECONDS) as connection:
                row = await connection.fetchrow(
                    _READ,
                    segment.tenant,
                    segment.principal,
                    segment.caller,
                    segment.agent_owner,
                    segment.key,
                    segment.agent,
                    segment.rate_class,
                    snapshot.plan if snapshot else None,
                    snapshot.payer if snapshot else None,
                    look,
                    timeout=_TIMEOUT_SECONDS,
                )
        if row is None:
            return None
        if row["cause"]:
            raise BannedError(row["cause"], row["until"])
        return self._standing(row, segment)

    def _standing(self, row: asyncpg.Record, segment: Segment) -> Standing:
        own = row["payer"] == "principal"
        payer = str(segment.principal) if own else "tenant"
        default = self._default
        return Standing(
            slots=row["slots"],
            principal_slots=row["principal_slots"],
            idle=row["idle"],
            opens=row["opens"],
            version=row["version"],
            changed=row["changed"],
            settled=row["settled"],
            plan=row["plan"],
            payer=row["payer"],
            rate=_rate(segment.rate_class, payer, row["per_minute"], row["burst"]),
            tokens=_rate("tokens", payer, row["tokens_per_minute"], row["tokens_burst"]),
            default_price=Price(
                input=_either(row["input_price"], default.input),
                output=_either(row["output_price"], default.output),
            ),
            budgets=_budgets(row) if self._billing else (),
        )


def _either(value: int | None, default: int) -> int:
    return default if value is None else value


def _rate(name: str, payer: str, per_minute: int | None, burst: int | None) -> Rate | None:
    if per_minute is None or burst is None:
        return None
    return Rate(name=name, payer=payer, per_minute=per_minute, burst=burst)


def _budgets(row: asyncpg.Record) -> tuple[Budget, ...]:
    columns = [row[name] or () for name in _COLUMNS]
    return tuple(
        Budget(scope=scope, subject=subject, period=period, limit=limit, spent=spent, resets=resets)
        for scope, subject, period, limit, spent, resets in zip(*columns, strict=True)
    )
