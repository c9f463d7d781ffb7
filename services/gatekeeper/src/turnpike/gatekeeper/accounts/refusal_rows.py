"""What was refused at admission, kept in Postgres for 30 days."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.accounts.model import RefusedTry

Position = tuple[datetime, UUID, int, int]

_ORDER = "created, turn, attempt, segment"

# `principal` and the position are left out where nobody asks for them, so that
# the index serves those who do.
_SELECT = (
    "SELECT turn, attempt, segment, principal, agent, reason, details, created FROM refusals"
    " WHERE (CAST(:reason AS text) = '' OR reason = :reason)"
)
_OF = " AND principal = :principal"
_AFTER = f" AND ({_ORDER}) < (:created, :turn, :attempt, :segment)"
_PAGE = " ORDER BY created DESC, turn DESC, attempt DESC, segment DESC LIMIT :limit"


async def list_refusals(
    connection: AsyncConnection,
    *,
    reason: str,
    principal: UUID | None,
    after: Position | None,
    limit: int,
) -> list[RefusedTry]:
    """Returns the tenant's refusals, or one principal's, newest first."""
    created, turn, attempt, segment = after or (None, None, None, None)
    values = {
        "reason": reason,
        "limit": limit,
        **({"principal": principal} if principal else {}),
        **(
            {"created": created, "turn": turn, "attempt": attempt, "segment": segment}
            if after
            else {}
        ),
    }
    statement = _SELECT + (_OF if principal else "") + (_AFTER if after else "") + _PAGE
    result = await connection.execute(text(statement), values)
    return [RefusedTry(**row) for row in result.mappings()]
