"""What was used, told to whom it may be told."""

import re
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import system_transaction, tenant_transaction
from turnpike.gatekeeper.authority import Authority, own_or_any
from turnpike.gatekeeper.outages import postgres_answers
from turnpike.gatekeeper.usage.entries import Position, list_entries
from turnpike.gatekeeper.usage.model import PERIODS, Entry, Key, Report, Usage
from turnpike.gatekeeper.usage.sums import QUARTER, floor, read_sums
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller

ALL_TENANTS = "-"

# Names of the IANA database; Postgres would also take `UTC+3` for one, by POSIX's rules.
_ZONE = re.compile(r"^[A-Za-z_]+[A-Za-z0-9_]*(/[A-Za-z0-9_+-]+)*$")
_NO_ZONE = "is no time zone of the IANA database"
_INVALID_PARAMETER = "22023"

_NOW = text("SELECT date_trunc('month', now(), CAST(:zone AS text)), now()")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whose usage a caller asks for, in its own words."""

    tenant: str = ""
    """Empty for its own, `-` for all."""

    principal: str = ""
    agent: str = ""
    model: str = ""
    turn: UUID | None = None
    begins: datetime | None = None
    ends: datetime | None = None
    zone: str = ""


class Reports:
    """Members see their own, admins their tenant's, the platform everybody's.

    Every method raises `ForbiddenError` when the caller asks for others, and
    `UnavailableError` when Postgres does not answer.
    """

    def __init__(
        self, engine: AsyncEngine, system_engine: AsyncEngine, authority: Authority
    ) -> None:
        self._engine = engine
        self._system_engine = system_engine
        self._authority = authority

    async def report(
        self, caller: Caller, asked: Asked, by: Sequence[str], after: Key | None, limit: int
    ) -> Report:
        """Returns sums, by what is to be told apart; without that the total alone.

        Raises:
            InvalidArgumentError: A time, a time zone or what to tell apart is wrong.
        """
        if len(set(by) & set(PERIODS)) > 1:
            raise InvalidArgumentError("by", "may have one of hour, day and month")
        zone = _zone(asked.zone)
        usage = await self._usage(caller, asked)
        with _zone_known():
            async with self._reading(usage) as connection:
                usage = await _timed(connection, usage, zone)
                lines, total = await read_sums(
                    connection, usage, by, zone=zone, after=after, limit=limit
                )
        assert usage.begins and usage.ends  # noqa: S101 # `_timed` has seen to it
        return Report(by=tuple(by), lines=lines, total=total, begins=usage.begins, ends=usage.ends)

    async def entries(
        self, caller: Caller, asked: Asked, after: Position | None, limit: int
    ) -> list[Entry]:
        """Returns entries of one tenant's ledger, newest first.

        Raises:
            InvalidArgumentError: All tenants are asked for.
        """
        if asked.tenant == ALL_TENANTS:
            raise InvalidArgumentError("filter.tenant", "must be one tenant: entries are listed")
        usage = await self._usage(caller, asked)
        async with self._reading(usage) as connection:
            return await list_entries(connection, usage, after, limit)

    async def _usage(self, caller: Caller, asked: Asked) -> Usage:
        tenant = None
        if asked.tenant == ALL_TENANTS:
            await self._authority.require_platform(caller)
        else:
            tenant = await self._authority.tenant(caller, asked.tenant)
        return Usage(
            tenant=tenant,
            principal=own_or_any(caller, asked.principal),
            agent=asked.agent or None,
            model=asked.model or None,
            turn=asked.turn,
            begins=asked.begins,
            ends=asked.ends,
        )

    @asynccontextmanager
    async def _reading(self, usage: Usage) -> AsyncGenerator[AsyncConnection]:
        with postgres_answers():
            opened = (
                tenant_transaction(self._engine, usage.tenant)
                if usage.tenant
                else system_transaction(self._system_engine)
            )
            async with opened as connection:
                yield connection


async def _timed(connection: AsyncConnection, usage: Usage, zone: str) -> Usage:
    """Returns the same usage with both its times, none of them beyond now's quarter."""
    month, now = (await connection.execute(_NOW, {"zone": zone})).one()
    latest = floor(now) + QUARTER
    begins, ends = usage.begins or month, usage.ends or latest
    if begins >= ends:
        raise InvalidArgumentError("filter.to_time", "must be after from_time")
    begins, ends = min(begins, latest), min(ends, latest)
    if usage.tenant is None:
        # Of all tenants only the sums are read: there is no end to the ledger.
        for field, time in (("from_time", begins), ("to_time", ends)):
            if floor(time) != time:
                message = "must be at a quarter of an hour where all tenants are asked for"
                raise InvalidArgumentError(f"filter.{field}", message)
    return replace(usage, begins=begins, ends=ends)


def _zone(name: str) -> str:
    if name and not _ZONE.match(name):
        raise InvalidArgumentError("filter.time_zone", _NO_ZONE)
    return name or "UTC"


@contextmanager
def _zone_known() -> Generator[None]:
    """Raises `InvalidArgumentError` where Postgres knows no such time zone."""
    try:
        yield
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") == _INVALID_PARAMETER:
            raise InvalidArgumentError("filter.time_zone", _NO_ZONE) from error
        raise
