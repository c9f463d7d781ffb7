"""Approvals as Postgres has them."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.approvals.model import Approval, ApprovalRules, Decision, Item

COLUMNS = (
    "a.id, a.position, a.tenant, a.turn, a.thread, a.principal, a.agent, a.step, a.status,"
    " a.items, a.rules, a.escalated, a.expires, a.decided_by, a.decided, a.created"
)
_DECISIONS = text(
    "SELECT approval, call_id, kind, principal, arguments, text, feedback, scope, expires,"
    " request_id, payload_digest, created FROM decisions WHERE approval = ANY(:approvals)"
    " ORDER BY created, call_id"
)


async def with_decisions(
    connection: AsyncConnection, rows: Sequence[RowMapping | Mapping[str, Any]]
) -> list[Approval]:
    """Returns approvals of rows with `COLUMNS`."""
    decisions: dict[UUID, list[Decision]] = defaultdict(list)
    if rows:
        ids = [row["id"] for row in rows]
        for row in (await connection.execute(_DECISIONS, {"approvals": ids})).mappings():
            values = dict(row)
            decisions[values.pop("approval")].append(Decision(**values))
    return [_approval(row, tuple(decisions[row["id"]])) for row in rows]


def _approval(row: RowMapping | Mapping[str, Any], decisions: tuple[Decision, ...]) -> Approval:
    values = dict(row)
    values["items"] = tuple(Item.from_dict(each) for each in values["items"])
    values["rules"] = ApprovalRules.from_dict(values["rules"])
    return Approval(**values, decisions=decisions)
