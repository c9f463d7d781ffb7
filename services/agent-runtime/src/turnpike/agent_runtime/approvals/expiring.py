"""What becomes of an approval that nobody decides in time, or of a turn that was claimed for it."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum

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

_UNHEARD = "Whether the call had its effect is not known, and nobody said so in time."


class Expired(StrEnum):
    """What is to be done with a turn that was claimed while it waited for a person."""

    END = "END"
    """Its claim ends it: nobody decided in time."""

    LEFT = "LEFT"
    """It is nobody's again, and goes on or waits on by itself."""


class Expiry:
    """Ends the wait of turns whose time is over. Only who claimed such a turn asks."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def settle(self, claim: Claim) -> Expired:
        """Does what an approval's rules say about its end, in one transaction."""
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            locked = await store.lock_pending(connection, claim.turn)
            if locked is None:
                return Expired.END
            turn, approval, late = locked
            if turn.fence != claim.fence or turn.owner != claim.owner:  # fence
                return Expired.LEFT
            if not late:
                # Whoever had it before died, or was late itself.
                await store.wait_on(connection, turn.id, approval.expires)
                return Expired.LEFT
            return await self._expire(connection, turn, approval)

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
