"""What calls may have done, as people see and settle it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import ForbiddenError, NotFoundError
from turnpike.tool_registry.calls import Calls
from turnpike.tool_registry.ledger import to_call
from turnpike.tool_registry.model import Call, Resolution
from turnpike.tool_registry.ownership import Who

_UNKNOWN = text(
    "SELECT c.*, seconds_left(c) FROM calls c WHERE tenant = :tenant AND status = 'UNKNOWN'"
    " AND NOT forgotten"
    " AND (:principal = '' OR principal = :principal)"
    " AND (CAST(:before AS timestamptz) IS NULL OR (created, effect) < (:before, :effect))"
    " ORDER BY created DESC, effect DESC LIMIT :limit"
)
_GET = text(
    "SELECT c.*, seconds_left(c), f.fence AS known FROM calls c"
    " JOIN turn_fences f ON f.tenant = c.tenant AND f.turn = c.turn"
    " WHERE c.tenant = :tenant AND c.effect = :effect AND NOT c.forgotten"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """A call, and when it was what."""

    call: Call
    turn: UUID
    created: datetime
    dispatched: datetime | None
    finished: datetime | None


class Effects:
    """The effect ledger of every tenant, as its people see it."""

    def __init__(self, engine: AsyncEngine, calls: Calls) -> None:
        self._engine = engine
        self._calls = calls

    async def page_unknown(
        self, tenant: UUID, who: Who, *, before: datetime | None, effect: str, limit: int
    ) -> list[Effect]:
        """Returns calls of unknown outcome, newest first, from behind `before` and `effect` on."""
        values = {
            "tenant": tenant,
            "principal": who.narrowed_to,
            "before": before,
            "effect": effect,
            "limit": limit,
        }
        async with tenant_transaction(self._engine, tenant) as connection:
            rows = await connection.execute(_UNKNOWN, values)
            return [_to_effect(row) for row in rows.mappings()]

    async def get(self, tenant: UUID, who: Who, effect: str) -> Effect:
        """Returns a call as it stands, or raises `NotFoundError`."""
        found, _ = await self._read(tenant, who, effect)
        return found

    async def resolve(
        self,
        tenant: UUID,
        who: Who,
        effect: str,
        *,
        generation: int,
        verdict: str,
        text: str,
        timeout_seconds: float,
    ) -> Effect:
        """Settles a call of unknown outcome, or has it run again.

        Raises:
            ForbiddenError: Nobody in particular says so.
            NotFoundError: There is none, or it was called for somebody else.
            FenceStaleError: Its turn was claimed in this moment.
            CallNotUnknownError: Its outcome is known, or another said something else.
            UnavailableError: This process must not take calls at the moment.
        """
        if not who.principal:
            raise ForbiddenError("a person says what became of a call")
        found, fence = await self._read(tenant, who, effect)
        _, step, ordinal = effect.split(":")
        await self._calls.resolve(
            Resolution(
                tenant=tenant,
                turn=found.turn,
                fence=fence,
                step=int(step),
                ordinal=int(ordinal),
                generation=generation,
                verdict=verdict,
                text=text,
                by=who.principal,
                timeout_seconds=timeout_seconds,
            )
        )
        return await self.get(tenant, who, effect)

    async def _read(self, tenant: UUID, who: Who, effect: str) -> tuple[Effect, int]:
        async with tenant_transaction(self._engine, tenant) as connection:
            rows = await connection.execute(_GET, {"tenant": tenant, "effect": effect})
            row = rows.mappings().one_or_none()
        if row is None or not (who.is_admin or row["principal"] == who.principal):
            raise NotFoundError("there is no such effect", kind="effect", id=effect)
        return _to_effect(row), row["known"]


def _to_effect(row: Any) -> Effect:
    return Effect(
        call=to_call(row),
        turn=row["turn"],
        created=row["created"],
        dispatched=row["dispatched"],
        finished=row["finished"],
    )
