"""Approvals and decisions, in Postgres."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.approvals.model import NOBODY, Approval, Decision
from turnpike.agent_runtime.approvals.rows import COLUMNS, with_decisions

_OF_STEP = text(
    f"SELECT {COLUMNS} FROM approvals a WHERE a.turn = :turn AND a.step = :step"  # noqa: S608 # constants
    " ORDER BY a.position"
)
_OF_TURN = text(
    f"SELECT {COLUMNS} FROM approvals a WHERE a.turn = :turn AND a.status = 'PENDING'"  # noqa: S608 # constants
)
_ALWAYS = text(
    "SELECT i->>'name' AS name, i->>'digest' AS digest FROM decisions d"
    " JOIN approvals a ON a.id = d.approval, jsonb_array_elements(a.items) AS i"
    " WHERE a.turn = :turn AND d.kind = 'approve_always' AND i->>'call_id' = d.call_id"
    # Where a grant is kept it says for how long, for what, and until it is revoked.
    " AND d.scope = '' AND NOT (i->>'grantable')::boolean"
)
# The turn first, then the approval: whoever ends a turn, or takes it over, does it in this order.
_LOCK_TURN = text(
    "SELECT id, thread, status, waiting_for, desired, fence, committed_seq, reserved_seq, owner"
    " FROM turns WHERE id = :turn FOR UPDATE"
)
_LOCK = text(
    f"SELECT {COLUMNS}, a.expires <= clock_timestamp() AS late FROM approvals a"  # noqa: S608 # constants
    " WHERE a.id = :id FOR UPDATE"
)
_PENDING = text("SELECT id FROM approvals WHERE turn = :turn AND status = 'PENDING'")
_INSERT = text(
    "INSERT INTO decisions (approval, call_id, principal, tenant, kind, arguments, text, feedback,"
    " scope, expires, request_id, payload_digest) VALUES (:approval, :call_id, :principal,"
    " :tenant, :kind, :arguments, :text, :feedback, :scope, :expires, :request_id,"
    " :payload_digest)"
)
_CLOSE = text(
    "UPDATE approvals SET status = :status, decided = clock_timestamp(), decided_by = :decided_by"
    " WHERE id = :id AND status = 'PENDING' RETURNING decided"
)
_TOUCH = text("UPDATE approvals SET decided_by = :decided_by WHERE id = :id")
# Due at once: whoever claims it has it admitted again.
_GO_ON = text(
    "UPDATE turns SET waiting_for = 'admission', owner = NULL, owner_name = '', fruitless = 0,"
    " due_at = clock_timestamp(), admission_since = clock_timestamp(), admission_reason = ''"
    " WHERE id = :turn"
)
_WAIT_ON = text(
    "UPDATE turns SET owner = NULL, owner_name = '', fruitless = 0, due_at = :due WHERE id = :turn"
)
_ESCALATE = text(
    "UPDATE approvals SET escalated = true,"
    " expires = clock_timestamp() + CAST(:window AS interval) WHERE id = :id RETURNING expires"
)
_LOG = text(
    "INSERT INTO batches (turn, first_seq, last_seq, tenant, fence, events)"
    " VALUES (:turn, :seq, :seq, :tenant, :fence, :events)"
)
_LOGGED = text(
    "UPDATE turns SET committed_seq = :seq, reserved_seq = greatest(reserved_seq, :seq)"
    " WHERE id = :turn"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTurn:
    """The turn of an approval, as it stands and stays until the transaction ends."""

    id: UUID
    thread: UUID
    status: str
    waiting_for: str
    desired: str
    fence: int
    committed_seq: int
    reserved_seq: int
    owner: UUID | None

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody to decide, and nobody wants it ended."""
        return self.status == "WAITING" and self.waiting_for == "approval" and not self.desired


async def of_step(connection: AsyncConnection, turn: UUID, step: int) -> list[Approval]:
    """Returns what was asked about a turn's step, oldest first."""
    rows = await connection.execute(_OF_STEP, {"turn": turn, "step": step})
    return await with_decisions(connection, rows.mappings().all())


async def always(connection: AsyncConnection, turn: UUID) -> set[tuple[str, str]]:
    """Returns the tools, by name and digest, that are approved for all of a turn."""
    rows = await connection.execute(_ALWAYS, {"turn": turn})
    return {(row.name, row.digest) for row in rows}


async def lock(
    connection: AsyncConnection, turn: UUID, approval: UUID
) -> tuple[LockedTurn, Approval, bool] | None:
    """Locks a turn, then its approval; None when they are gone.

    Returns:
        Both, as they stand, and whether the approval's time is over.
    """
    row = (await connection.execute(_LOCK_TURN, {"turn": turn})).mappings().one_or_none()
    return None if row is None else await _lock(connection, LockedTurn(**row), approval)


async def pending(connection: AsyncConnection, turn: UUID) -> Approval | None:
    """Returns what a turn waits for, without locking it."""
    rows = await connection.execute(_OF_TURN, {"turn": turn})
    found = await with_decisions(connection, rows.mappings().all())
    return found[0] if found else None


async def lock_pending(
    connection: AsyncConnection, turn: UUID
) -> tuple[LockedTurn, Approval, bool] | None:
    """Locks a turn, then the approval that it waits for; see `lock`."""
    row = (await connection.execute(_LOCK_TURN, {"turn": turn})).mappings().one_or_none()
    approval = await connection.scalar(_PENDING, {"turn": turn})
    if row is None or approval is None:
        return None
    return await _lock(connection, LockedTurn(**row), approval)


async def _lock(
    connection: AsyncConnection, turn: LockedTurn, approval: UUID
) -> tuple[LockedTurn, Approval, bool] | None:
    found = (await connection.execute(_LOCK, {"id": approval})).mappings().one_or_none()
    if found is None:
        return None
    values = dict(found)
    late = bool(values.pop("late"))
    (locked,) = await with_decisions(connection, [values])
    return turn, locked, late


async def insert(
    connection: AsyncConnection, approval: Approval, decisions: Sequence[Decision]
) -> None:
    """Stores decisions; each person decides a call once."""
    await connection.execute(
        _INSERT,
        [
            {
                "approval": approval.id,
                "tenant": approval.tenant,
                "call_id": each.call_id,
                "principal": each.principal,
                "kind": str(each.kind),
                "arguments": each.arguments,
                "text": each.text,
                "feedback": each.feedback,
                "scope": each.scope,
                "expires": each.expires,
                "request_id": each.request_id,
                "payload_digest": each.payload_digest,
            }
            for each in decisions
        ],
    )


async def close(
    connection: AsyncConnection, approval: Approval, status: str, decided_by: UUID
) -> datetime:
    """Closes an approval, and has its turn go on."""
    by = None if decided_by == NOBODY else decided_by
    values = {"id": approval.id, "status": status, "decided_by": by}
    decided = (await connection.execute(_CLOSE, values)).scalar_one()
    await connection.execute(_GO_ON, {"turn": approval.turn})
    return decided


async def touch(connection: AsyncConnection, approval: Approval, decided_by: UUID) -> None:
    """Notes who decided last of an approval that is not decided yet."""
    await connection.execute(_TOUCH, {"id": approval.id, "decided_by": decided_by})


async def escalate(connection: AsyncConnection, approval: Approval) -> datetime:
    """Asks others for as long again; returns until when."""
    window = timedelta(seconds=approval.rules.expires_after)
    values = {"id": approval.id, "window": window}
    expires = (await connection.execute(_ESCALATE, values)).scalar_one()
    await wait_on(connection, approval.turn, expires)
    return expires


async def wait_on(connection: AsyncConnection, turn: UUID, due: datetime) -> None:
    """Leaves a turn that was claimed to wait again, until its approval expires."""
    await connection.execute(_WAIT_ON, {"turn": turn, "due": due})


async def log(
    connection: AsyncConnection, tenant: UUID, turn: LockedTurn, seq: int, events: bytes
) -> None:
    """Writes an event of a turn that nobody owns, in the transaction that it states."""
    values = {"turn": turn.id, "tenant": tenant, "fence": turn.fence, "seq": seq, "events": events}
    await connection.execute(_LOG, values)
    await connection.execute(_LOGGED, {"turn": turn.id, "seq": seq})
