"""What becomes of an approval that nobody decides in time, or of a turn that was claimed for it."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from uuid import UUID

import orjson
from google.protobuf.timestamp_pb2 import Timestamp
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.approvals import store
from turnpike.agent_runtime.approvals.counting import EXPIRED
from turnpike.agent_runtime.approvals.deciding import log_decided
from turnpike.agent_runtime.approvals.model import (
    NOBODY,
    Approval,
    Decision,
    Item,
    Kind,
    OnExpiry,
    Subject,
)
from turnpike.agent_runtime.approvals.stating import required
from turnpike.agent_runtime.approvals.store import LockedTurn
from turnpike.agent_runtime.events.batches import pack
from turnpike.agent_runtime.events.model import Claim
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import RemoteError

logger = logging.getLogger(__name__)

# A credential may have come between the refusal and the pause.
_GIVEN_BEFORE = timedelta(seconds=5)
_FIRST_LOOK, _LAST_LOOK = timedelta(seconds=1), timedelta(seconds=30)

_UNHEARD = "Whether the call had its effect is not known, and nobody said so in time."


class Expired(StrEnum):
    """What is to be done with a turn that was claimed while it waited for a person."""

    END = "END"
    """Its claim ends it: nobody decided in time."""

    LEFT = "LEFT"
    """It is nobody's again, and goes on or waits on by itself."""


HasSignedIn = Callable[[UUID, UUID, str, datetime], Awaitable[bool]]
"""Says whether a person of a tenant has a credential for a connector that is newer."""


class Expiry:
    """Ends the wait of turns whose time is over. Only who claimed such a turn asks."""

    def __init__(self, engine: AsyncEngine, has_signed_in: HasSignedIn) -> None:
        self._engine = engine
        self._has_signed_in = has_signed_in

    async def settle(self, claim: Claim) -> Expired:
        """Does what an approval's rules say about its end, in one transaction.

        One that wants nothing but sign-ins goes on when they are there.
        """
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            pending = await store.pending(connection, claim.turn)
        signed_in = pending is not None and await self._is_signed_in(pending)
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            locked = await store.lock_pending(connection, claim.turn)
            if locked is None:
                return Expired.END
            turn, approval, late = locked
            if turn.fence != claim.fence or turn.owner != claim.owner:  # fence
                return Expired.LEFT
            if pending is not None and signed_in and pending.id == approval.id:
                return await _go_on(connection, turn, approval)
            if not late:
                # Whoever had it before died, or was late itself; or it is looked at again.
                await store.wait_on(connection, turn.id, _next_look(approval))
                return Expired.LEFT
            return await self._expire(connection, turn, approval)

    async def _is_signed_in(self, approval: Approval) -> bool:
        if not _wants_sign_ins(approval):
            return False
        since = approval.created - _GIVEN_BEFORE
        try:
            return all(
                [
                    await self._has_signed_in(approval.tenant, approval.principal, connector, since)
                    for connector in {each.connector for each in approval.items}
                ]
            )
        except RemoteError as error:
            logger.info("whether somebody signed in is not known: %s", error)
            return False

    async def _expire(
        self, connection: AsyncConnection, turn: LockedTurn, approval: Approval
    ) -> Expired:
        action = approval.rules.on_expiry
        EXPIRED.labels(action=str(action)).inc()
        if action == OnExpiry.ESCALATE and not approval.escalated:
            expires = await store.escalate(connection, approval)
            await _log_escalated(connection, turn, approval, expires)
            return Expired.LEFT
        said = undecided(approval)
        if action == OnExpiry.REJECT or all(each.kind == Kind.ANSWER for each in said):
            await store.insert(connection, approval, said)
            await log_decided(connection, turn, approval, said, complete=True)
            await store.close(connection, approval, "EXPIRED", NOBODY)
            return Expired.LEFT
        return Expired.END


async def _go_on(connection: AsyncConnection, turn: LockedTurn, approval: Approval) -> Expired:
    """Has a turn go on whose requester signed in, as if somebody had said so."""
    settled = approval.settled
    said = [
        Decision(call_id=each.call_id, kind=Kind.ANSWER)
        for each in approval.items
        if each.call_id not in settled
    ]
    await store.insert(connection, approval, said)
    await log_decided(connection, turn, approval, said, complete=True)
    await store.close(connection, approval, "DECIDED", NOBODY)
    return Expired.LEFT


def _wants_sign_ins(approval: Approval) -> bool:
    """Says whether nothing is wanted of anybody but to sign in."""
    return all(each.is_sign_in for each in approval.items)


def _next_look(approval: Approval) -> datetime:
    """Returns when a turn that waits is looked at again: the longer it waits, the later."""
    if not _wants_sign_ins(approval):
        return approval.expires
    now = datetime.now(UTC)
    pause = min(max((now - approval.created) / 20, _FIRST_LOOK), _LAST_LOOK)
    return min(approval.expires, now + pause)


def undecided(approval: Approval) -> Sequence[Decision]:
    """Returns what is taken for decided, where nobody did: defaults, or a rejection."""
    settled = approval.settled
    return [_for_want(item) for item in approval.items if item.call_id not in settled]


def _for_want(item: Item) -> Decision:
    if item.questions and all(each.default for each in item.questions):
        defaults = {each.id: orjson.loads(each.default) for each in item.questions}
        answers = orjson.dumps(defaults).decode()
        return Decision(call_id=item.call_id, kind=Kind.ANSWER, arguments=answers)
    if item.subject == Subject.OUTCOME:
        return Decision(call_id=item.call_id, kind=Kind.NOT_DONE, text=_UNHEARD)
    return Decision(call_id=item.call_id, kind=Kind.REJECT)


async def _log_escalated(
    connection: AsyncConnection, turn: LockedTurn, approval: Approval, expires: datetime
) -> None:
    seq = turn.committed_seq + 1
    now = Timestamp()
    now.GetCurrentTime()
    body = required(str(approval.id), approval.items, expires, escalated=True)
    event = Event(seq=seq, time=now, approval_required=body)
    await store.log(connection, approval.tenant, turn, seq, pack([event]))
