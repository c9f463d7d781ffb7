"""Sums of the ledger, read in one statement."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.usage.model import PERIODS, Key, Line, Part, Sum, Usage

QUARTER = timedelta(minutes=15)
"""How long the rows of `usage_quarters` are."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_COUNTS = (
    "input_tokens",
    "cached_tokens",
    "cache_write_tokens",
    "output_tokens",
    "reasoning_tokens",
    "cost_micro_usd",
)
_FLAGS = {"default_priced": "default_price", "estimated": "estimated", "own_key": "own_key"}
_COMMON = ", ".join(
    ("tenant", "principal", "agent", "model", *_FLAGS.values(), *_COUNTS),
)
_TYPES = {"tenant": "uuid", "principal": "uuid", "agent": "text", "model": "text"}

_SUMS = ", ".join(
    [
        "coalesce(sum(entries), 0)::bigint AS entries",
        *(f"coalesce(sum({name}), 0)::bigint AS {name}" for name in _COUNTS),
        *(
            f"coalesce(sum({what}) FILTER (WHERE {flag}), 0)::bigint AS {part}_{name}"
            for part, flag in _FLAGS.items()
            for name, what in (
                ("entries", "entries"),
                ("tokens", "input_tokens + output_tokens"),
                ("cost", "cost_micro_usd"),
            )
        ),
    ]
)


async def read_sums(
    connection: AsyncConnection,
    usage: Usage,
    by: Sequence[str],
    *,
    zone: str,
    after: Key | None,
    limit: int,
) -> tuple[list[Line], Sum]:
    """Returns the lines after a key, in their order, and the sum of all lines.

    Whole quarters of an hour are read in sums, and only what is left at both
    ends from the ledger itself: in one statement, so that nothing is counted
    twice or missed.

    Args:
        connection: Sees the usage's tenant, or all.
        usage: Whose, and of when; both times are given.
        by: What to tell apart; without it there are no lines.
        zone: Where hours, days and months begin.
        after: The key of the last line of the page before.
        limit: How many lines at most.
    """
    statement = text(_statement(usage, by, paged=after is not None))
    values = {
        **_bounds(usage),
        **_filters(usage),
        **({"limit": limit + 1} if by else {}),
        **({"zone": zone} if set(by) & set(PERIODS) else {}),
        **{f"after_{i}": value for i, value in enumerate(after or ())},
    }
    rows = (await connection.execute(statement, values)).all()
    total = next((_to_sum(row) for row in rows if row.is_total), Sum())
    lines = [Line(key=_key(row, by), sum=_to_sum(row)) for row in rows if not row.is_total]
    return lines, total


def floor(time: datetime) -> datetime:
    """Returns when the quarter of an hour began that a time is in."""
    return time - (time - _EPOCH) % QUARTER


def ceiling(time: datetime) -> datetime:
    """Returns the first beginning of a quarter of an hour that is not before a time."""
    return time + (_EPOCH - time) % QUARTER


def _bounds(usage: Usage) -> dict[str, datetime]:
    assert usage.begins and usage.ends  # noqa: S101 # as documented
    first, last = ceiling(usage.begins), floor(usage.ends)
    if first > last:
        # Both within one quarter: all of it is read from the ledger.
        first = last = usage.ends
    return {"begins": usage.begins, "ends": usage.ends, "first": first, "last": last}


def _filters(usage: Usage) -> dict[str, object]:
    names = ("tenant", "principal", "agent", "model")
    values = {name: getattr(usage, name) for name in names}
    return {name: value for name, value in values.items() if value is not None}


def _statement(usage: Usage, by: Sequence[str], *, paged: bool) -> str:
    only = "".join(f" AND {name} = :{name}" for name in _filters(usage))
    keys = [_expression(name) for name in by]
    names = [f"key_{i}" for i in range(len(by))]
    parts = (
        f"SELECT starts AS at, entries, {_COMMON} FROM usage_quarters"  # noqa: S608 # names of ours
        f" WHERE starts >= :first AND starts < :last{only}"
        f" UNION ALL SELECT created, 1, {_COMMON} FROM ledger"
        f" WHERE created >= :begins AND created < :first{only}"
        f" UNION ALL SELECT created, 1, {_COMMON} FROM ledger"
        f" WHERE created >= :last AND created < :ends{only}"
    )
    if not by:
        return f"WITH part AS ({parts}) SELECT true AS is_total, {_SUMS} FROM part"  # noqa: S608
    after = [f"CAST(:after_{i} AS {_type(name)})" for i, name in enumerate(by)]
    more = f" OR ({', '.join(names)}) > ({', '.join(after)})" if paged else " OR true"
    columns = ", ".join(f"{key} AS {name}" for key, name in zip(keys, names, strict=True))
    grouped = ", ".join(names)
    return (
        f"WITH part AS ({parts}), keyed AS (SELECT *, {columns} FROM part),"  # noqa: S608
        f" summed AS (SELECT {grouped}, grouping({names[0]}) = 1 AS is_total, {_SUMS} FROM keyed"
        f" GROUP BY GROUPING SETS (({grouped}), ()))"
        f" SELECT * FROM summed WHERE is_total{more}"
        f" ORDER BY is_total DESC, {grouped} LIMIT :limit"
    )


def _expression(dimension: str) -> str:
    if dimension in PERIODS:
        return f"date_trunc('{dimension}', at, CAST(:zone AS text))"
    # In the order of bytes, whatever the database's collation.
    return f'{dimension} COLLATE "C"' if _TYPES[dimension] == "text" else dimension


def _type(dimension: str) -> str:
    return "timestamptz" if dimension in PERIODS else _TYPES[dimension]


def _key(row: Row[Any], by: Sequence[str]) -> Key:
    return tuple(getattr(row, f"key_{i}") for i in range(len(by)))


def _to_sum(row: Row[Any]) -> Sum:
    parts = {part: _to_part(row, part) for part in _FLAGS}
    counts = {name: getattr(row, name) for name in _COUNTS}
    return Sum(entries=row.entries, **counts, **parts)


def _to_part(row: Row[Any], part: str) -> Any:
    return Part(
        entries=getattr(row, f"{part}_entries"),
        tokens=getattr(row, f"{part}_tokens"),
        cost_micro_usd=getattr(row, f"{part}_cost"),
    )
