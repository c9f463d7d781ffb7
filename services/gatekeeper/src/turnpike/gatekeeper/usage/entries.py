"""The ledger's entries, newest first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.usage.model import Entry, Usage

Position = tuple[datetime, UUID]

_SELECT = (
    "SELECT tenant, id, turn, step, call, attempt, kind, principal, agent, model,"
    " input_tokens, cached_tokens, cache_write_tokens, output_tokens, reasoning_tokens,"
    " cost_micro_usd, default_price, own_key, estimated, created FROM ledger"
)
_CONDITIONS = {
    "tenant": "tenant = :tenant",
    "principal": "principal = :principal",
    "agent": "agent = :agent",
    "model": "model = :model",
    "turn": "turn = :turn",
    "begins": "created >= :begins",
    "ends": "created < :ends",
}
_AFTER = "(created, id) < (:created, :id)"
_PAGE = " ORDER BY created DESC, id DESC LIMIT :limit"


async def list_entries(
    connection: AsyncConnection, usage: Usage, after: Position | None, limit: int
) -> list[Entry]:
    """Returns entries, newest first, from after a position on.

    Only what is asked is in the statement, so that an index serves it.
    """
    values: dict[str, Any] = {name: getattr(usage, name) for name in _CONDITIONS}
    values = {name: value for name, value in values.items() if value is not None}
    conditions = [_CONDITIONS[name] for name in values]
    if after:
        conditions.append(_AFTER)
        values |= {"created": after[0], "id": after[1]}
    statement = text(f"{_SELECT} WHERE {' AND '.join(conditions)}{_PAGE}")
    result = await connection.execute(statement, {**values, "limit": limit})
    return [Entry(**row) for row in result.mappings()]
