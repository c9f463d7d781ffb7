"""Sessions of a tenant, as its admins see them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction

_LIST = text(
    "SELECT session, thread, model, epoch, revision, count, bytes, sent_tokens, prompt_tokens,"
    " last_predicted, last_reported, reported_tokens, first_delta_ms, last_outcome, last_miss,"
    " difference, pending <> '' AS in_flight, evicted, boundaries, created, touched"
    " FROM prefix_sessions"
    " WHERE (CAST(:thread AS uuid) IS NULL OR thread = :thread)"
    " AND (CAST(:touched AS timestamptz) IS NULL OR (touched, session) < (:touched, :session))"
    " ORDER BY touched DESC, session DESC LIMIT :limit"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A row of `prefix_sessions`, but for what only the ledger needs."""

    session: str
    thread: UUID | None
    model: str
    epoch: int
    revision: int
    count: int
    bytes: int
    sent_tokens: int
    prompt_tokens: int
    last_predicted: int
    last_reported: int | None
    reported_tokens: int
    first_delta_ms: int | None
    last_outcome: str
    last_miss: str
    difference: Mapping[str, Any] | None
    in_flight: bool
    evicted: bool
    boundaries: list[Mapping[str, Any]]
    created: datetime
    touched: datetime


class Sessions:
    """Lists sessions."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self,
        tenant: UUID,
        *,
        thread: UUID | None,
        before: tuple[datetime, str] | None,
        limit: int,
    ) -> list[SessionRow]:
        """Returns sessions, the last used first, used before a moment."""
        touched, session = before or (None, None)
        values = {"thread": thread, "touched": touched, "session": session, "limit": limit}
        async with tenant_transaction(self._engine, tenant) as connection:
            rows = await connection.execute(_LIST, values)
            return [SessionRow(**row) for row in rows.mappings()]
