"""Deciding: one transaction that locks the turn, then the approval, and changes both."""

import hashlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.approvals import listing, store
from turnpike.agent_runtime.approvals.checking import check
from turnpike.agent_runtime.approvals.counting import DECISIONS, WAITED
from turnpike.agent_runtime.approvals.model import Approval, Decision
from turnpike.agent_runtime.approvals.screening import screened
from turnpike.agent_runtime.approvals.stating import decided
from turnpike.agent_runtime.approvals.store import LockedTurn
from turnpike.agent_runtime.approvals.visibility import Viewer, may_decide
from turnpike.agent_runtime.errors import (
    ApprovalClosedError,
    ApprovalDecidedError,
    ApprovalKeyReusedError,
    NotFoundError,
)
from turnpike.agent_runtime.events.batches import pack
from turnpike.agent_runtime.filters.reading import Screens
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import ForbiddenError

Wake = Callable[[], Awaitable[None]]
"""Tells whoever runs turns that one is due."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """Decisions that came together."""

    approval: UUID
    decisions: Sequence[Decision]
    request_id: str = ""


class Decider:
    """Takes people's decisions."""

    def __init__(self, engine: AsyncEngine, *, screens: Screens, wake: Wake) -> None:
        self._engine = engine
        self._screens = screens
        self._wake = wake

    async def decide(self, viewer: Viewer, submission: Submission) -> Approval:
        """Stores decisions and has their turn go on, all at once or not at all.

        Raises:
            NotFoundError: There is no such approval that they may see.
            ForbiddenError: They may not decide it.
            TextRefusedError: A filter of the tenant's refuses what they say.
            InvalidArgumentError: Something is wrong, whatever state it is in; nothing is stored.
            ApprovalDecidedError: Others were first.
            ApprovalClosedError: It expired, or its turn ended.
            ApprovalKeyReusedError: The request id was used for other decisions.
        """
        async with tenant_transaction(self._engine, viewer.tenant) as connection:
            approval = await listing.get(connection, submission.approval, viewer)
        if approval is None:
            raise NotFoundError("approval", str(submission.approval))
        if not may_decide(approval, viewer):
            raise ForbiddenError("somebody else is asked", approval=str(approval.id))
        screen = await self._screens.current(viewer.tenant)
        decisions = await screen.passed(screened, submission.decisions)
        check(approval, decisions)
        digest = _digest(decisions)
        said = [
            replace(
                each,
                principal=viewer.principal,
                request_id=submission.request_id,
                payload_digest=digest,
            )
            for each in decisions
        ]
        try:
            async with tenant_transaction(self._engine, viewer.tenant) as connection:
                await self._store(connection, approval, viewer, said)
                found = await listing.get(connection, approval.id, viewer)
        finally:
            # What has expired ends now, whoever comes late; and what is decided goes on now.
            await self._wake()
        if found is None:
            raise NotFoundError("approval", str(submission.approval))
        return found

    async def _store(
        self,
        connection: AsyncConnection,
        seen: Approval,
        viewer: Viewer,
        said: Sequence[Decision],
    ) -> None:
        locked = await store.lock(connection, seen.turn, seen.id)
        if locked is None:
            raise NotFoundError("approval", str(seen.id))
        turn, approval, late = locked
        if _is_replay(approval, said):
            return
        _raise_unless_open(turn, approval, late=late)
        if not may_decide(approval, viewer):
            raise ForbiddenError("somebody else is asked by now", approval=str(approval.id))
        _raise_if_said(approval, viewer, said)
        await store.insert(connection, approval, said)
        after = replace(approval, decisions=(*approval.decisions, *said))
        complete = len(after.settled) == len(after.items)
        await log_decided(connection, turn, approval, said, complete=complete)
        if complete:
            decided_at = await store.close(connection, approval, "DECIDED", viewer.principal)
            WAITED.observe((decided_at - approval.created).total_seconds())
        else:
            await store.touch(connection, approval, viewer.principal)
        for each in said:
            DECISIONS.labels(kind=str(each.kind)).inc()


async def log_decided(
    connection: AsyncConnection,
    turn: LockedTurn,
    approval: Approval,
    said: Sequence[Decision],
    *,
    complete: bool,
) -> None:
    """Writes `approval.decided` into the turn's log.

    Nobody owns a turn that waits for a person, so that nothing was shown above what is committed.
    """
    seq = turn.committed_seq + 1
    event = Event(seq=seq, time=_now(), approval_decided=decided(approval, said, complete=complete))
    await store.log(connection, approval.tenant, turn, seq, pack([event]))


def _is_replay(approval: Approval, said: Sequence[Decision]) -> bool:
    first = said[0]
    before = [
        each
        for each in approval.decisions
        if first.request_id
        and each.request_id == first.request_id
        and each.principal == first.principal
    ]
    if before and before[0].payload_digest != first.payload_digest:
        raise ApprovalKeyReusedError(str(approval.id))
    return bool(before)


def _raise_unless_open(turn: LockedTurn, approval: Approval, *, late: bool) -> None:
    id_ = str(approval.id)
    if approval.status == "DECIDED":
        by = str(approval.decided_by) if approval.decided_by else ""
        raise ApprovalDecidedError(id_, by, approval.decided or approval.created)
    if approval.status != "PENDING":
        raise ApprovalClosedError(id_, approval.status, approval.decided or approval.expires)
    if late:
        raise ApprovalClosedError(id_, "EXPIRED", approval.expires)
    if not turn.waits:
        raise ApprovalClosedError(id_, "CANCELLED", approval.decided or approval.created)


def _raise_if_said(approval: Approval, viewer: Viewer, said: Sequence[Decision]) -> None:
    """Raises `ApprovalDecidedError` for a call that is settled, or that they decided before."""
    settled = approval.settled
    for each in said:
        before = settled.get(each.call_id) or next(
            (
                own
                for own in approval.decisions
                if own.call_id == each.call_id and own.principal == viewer.principal
            ),
            None,
        )
        if before is not None:
            at = before.created or approval.created
            raise ApprovalDecidedError(str(approval.id), str(before.principal), at)


def _digest(decisions: Sequence[Decision]) -> bytes:
    payload = sorted(
        (
            each.call_id,
            str(each.kind),
            each.arguments,
            each.text,
            each.feedback,
            each.scope,
            each.expires.isoformat() if each.expires else "",
        )
        for each in decisions
    )
    return hashlib.sha256(orjson.dumps(payload)).digest()


def _now() -> Timestamp:
    nanoseconds = time.time_ns()
    return Timestamp(seconds=nanoseconds // 1_000_000_000, nanos=nanoseconds % 1_000_000_000)
