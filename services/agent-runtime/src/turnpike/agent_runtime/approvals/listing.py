"""What a viewer is shown of approvals, in Postgres."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.approvals.model import Approval
from turnpike.agent_runtime.approvals.rows import COLUMNS, with_decisions
from turnpike.agent_runtime.approvals.visibility import Selection, Viewer, Waiting

# Whom it is asked of: those of the moment. See `visibility`, which says the same.
_ASKED = (
    "(CASE WHEN a.escalated THEN"
    "   a.rules->'escalate_to' ? CAST(:viewer AS text)"
    "   OR a.rules->'escalate_to_roles' ? CAST(:role AS text)"
    "   OR (a.rules->'escalate_to' = '[]' AND a.rules->'escalate_to_roles' = '[]' AND :is_admin)"
    "  WHEN a.rules->'approvers' = '[]' AND a.rules->'roles' = '[]' THEN"
    "   :is_admin OR a.principal = CAST(:principal AS uuid)"
    "  ELSE a.rules->'approvers' ? CAST(:viewer AS text)"
    "   OR a.rules->'roles' ? CAST(:role AS text) END"
    " AND NOT (CAST(a.rules->>'exclude_requester' AS boolean)"
    "  AND a.principal = CAST(:principal AS uuid)))"
)
_SEEN = f"(:is_admin OR a.principal = CAST(:principal AS uuid) OR {_ASKED})"
_GET = text(f"SELECT {COLUMNS} FROM approvals a WHERE a.id = :id AND {_SEEN}")  # noqa: S608 # constants
_LIST = text(
    f"SELECT {COLUMNS} FROM approvals a WHERE {_SEEN}"  # noqa: S608 # constants
    " AND (CAST(:statuses AS text[]) IS NULL OR a.status = ANY(CAST(:statuses AS text[])))"
    " AND (CAST(:thread AS uuid) IS NULL OR a.thread = :thread)"
    " AND (CAST(:agent AS text) IS NULL OR a.agent = :agent)"
    " AND (CAST(:requester AS uuid) IS NULL OR a.principal = :requester)"
    " AND (CAST(:tool AS text) IS NULL OR EXISTS (SELECT FROM jsonb_array_elements(a.items) i"
    "  WHERE i->>'name' LIKE :tool))"
    " AND (CAST(:created_before AS timestamptz) IS NULL OR a.created < :created_before)"
    " AND (CAST(:created_after AS timestamptz) IS NULL OR a.created >= :created_after)"
    " AND (CAST(:expires_before AS timestamptz) IS NULL OR a.expires < :expires_before)"
    f" AND (NOT :mine OR (a.status = 'PENDING' AND {_ASKED}))"
    " AND (CAST(:before AS bigint) IS NULL OR a.position < :before)"
    " ORDER BY a.position DESC LIMIT :limit"
)
_COUNT = text(
    f"SELECT count(*) AS pending, count(*) FILTER (WHERE {_ASKED}) AS mine,"  # noqa: S608 # constants
    " (array_agg(a.id ORDER BY a.position DESC))[1] AS newest"
    f" FROM approvals a WHERE a.status = 'PENDING' AND {_SEEN}"
)


async def get(connection: AsyncConnection, approval: UUID, viewer: Viewer) -> Approval | None:
    """Returns an approval that a viewer may see."""
    rows = await connection.execute(_GET, {"id": approval, **_viewing(viewer)})
    found = await with_decisions(connection, rows.mappings().all())
    return found[0] if found else None


async def page(
    connection: AsyncConnection,
    viewer: Viewer,
    selection: Selection,
    *,
    before: int | None,
    limit: int,
) -> list[Approval]:
    """Returns approvals that a viewer may see, newest first."""
    values = {
        "statuses": list(selection.statuses) or None,
        "thread": selection.thread,
        "agent": selection.agent,
        "requester": selection.requester,
        "tool": selection.tool and _like(selection.tool),
        "created_before": selection.created_before,
        "created_after": selection.created_after,
        "expires_before": selection.expires_before,
        "mine": selection.mine,
        "before": before,
        "limit": limit,
    }
    rows = await connection.execute(_LIST, {**values, **_viewing(viewer)})
    return await with_decisions(connection, rows.mappings().all())


async def count(connection: AsyncConnection, viewer: Viewer) -> Waiting:
    """Returns what waits that a viewer may see."""
    row = (await connection.execute(_COUNT, _viewing(viewer))).one()
    return Waiting(pending=row.pending, mine=row.mine, newest=row.newest)


def _like(glob: str) -> str:
    """Returns a glob as SQL has it."""
    for each in ("\\", "%", "_"):
        glob = glob.replace(each, f"\\{each}")
    return glob.replace("*", "%")


def _viewing(viewer: Viewer) -> dict[str, Any]:
    return {
        "viewer": str(viewer.principal),
        "principal": viewer.principal,
        "role": viewer.role,
        "is_admin": viewer.is_admin,
    }
