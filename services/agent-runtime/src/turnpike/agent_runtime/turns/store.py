"""What a claim writes of its turn: one SQL function, one round trip each.

They use the driver's pool, because each step of a turn waits for them;
everything else goes through SQLAlchemy.
"""

from datetime import timedelta
from typing import Protocol

import asyncpg

from turnpike.agent_runtime.approvals.model import items_json, rules_json
from turnpike.agent_runtime.events.model import (
    Batch,
    CancelDesiredError,
    Claim,
    FenceLostError,
)
from turnpike.agent_runtime.prefix.model import Entry
from turnpike.agent_runtime.prefix.observing import observe
from turnpike.agent_runtime.turns import rows
from turnpike.agent_runtime.turns.endings import Ending, Finished
from turnpike.agent_runtime.turns.model import (
    Call,
    Reply,
    Spend,
    Standing,
    Step,
    TurnFailedError,
    Usage,
)
from turnpike.agent_runtime.turns.pausing import Pause
from turnpike.database.failures import persist

_PATIENCE_SECONDS = 30.0
_ASKED = "owe(commit_asked({}), $1, $2, $13, false)".format(
    ", ".join(f"${i}" for i in range(1, 13))
)
_DONE = "commit_done({})".format(", ".join(f"${i}" for i in range(1, 11)))
_LOG = "SELECT commit_log($1, $2, $3, $4, $5, $6, $7, $8)"
_FINISH = "owe(finish_turn({}), $1, $2, $17, $18)".format(", ".join(f"${i}" for i in range(1, 17)))
_CLAIMED = (
    "SELECT f.outcome, s.* FROM {} AS f(outcome)"
    " LEFT JOIN LATERAL claim_segment(f.outcome, $1, $2, ${}) AS s ON true"
)
_VOID = "SELECT commit_void({})".format(", ".join(f"${i}" for i in range(1, 13)))
_ADMITTED = "SELECT commit_admitted($1, $2, $3, $4, $5, $6, $7)"
_WAIT = "SELECT end_segment(wait_for_provider({}), $1, $2, '[]')".format(
    ", ".join(f"${i}" for i in range(1, 13))
)
_PAUSE = "SELECT end_segment(pause_turn({}), $1, $2, '[]')".format(
    ", ".join(f"${i}" for i in range(1, 15))
)
_WAIT_ADMISSION = "SELECT wait_for_admission({})".format(", ".join(f"${i}" for i in range(1, 12)))


class Wait(Protocol):
    """What a turn waits for."""

    credential: str
    delay: timedelta
    waited: timedelta
    failure: TurnFailedError


class TurnStore:
    """Writes turns. Every write names its claim's fence, and is refused when that is stale."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def commit_asked(
        self,
        claim: Claim,
        reply: Reply,
        calls: list[Call],
        batch: Batch,
        entry: Entry | None = None,
    ) -> None:
        """Commits a reply that asks for tools, before any of them is run."""
        await self._commit_with(
            claim,
            entry,
            _ASKED,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            reply.step,
            reply.as_json(calls),
            rows.asked(calls),
            reply.usage.as_list(),
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
            rows.owed(reply.paid),
        )

    async def commit_admitted(self, claim: Claim, standing: Standing) -> None:
        """Keeps what gatekeeper admitted, for whoever claims the turn next."""
        await self._commit(
            _ADMITTED,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            standing.admitted,
            standing.snapshot,
            rows.rates(dict(standing.rates)),
        )

    async def commit_void(self, claim: Claim, spend: Spend, batch: Batch) -> None:
        """Commits the reset of a try at a model call that was paid for."""
        await self._commit(
            _VOID,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            spend.step,
            spend.attempt,
            spend.usage.as_list(),
            rows.owed([spend]),
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
        )

    async def commit_done(
        self,
        claim: Claim,
        step: int,
        calls: list[Call],
        batch: Batch,
        entry: Entry | None = None,
    ) -> None:
        """Commits how a step's calls ended."""
        await self._commit_with(
            claim,
            entry,
            _DONE,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            step,
            rows.results(calls),
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
        )

    async def commit_log(self, claim: Claim, batch: Batch) -> None:
        """Commits events that change nothing but the log: a reset."""
        await self._commit(
            _LOG,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
        )

    async def reserve(self, claim: Claim, up_to: int) -> None:
        """Reserves numbers ahead of a step that says very much."""
        await self._commit(
            _LOG, claim.tenant, claim.turn, claim.fence, claim.owner, 0, 0, None, up_to
        )

    async def finish(
        self, claim: Claim, ending: Ending, batch: Batch, entry: Entry | None = None
    ) -> Finished:
        """Ends the turn: final message, status and terminal event together."""
        reply, spend = ending.reply, ending.spend
        call, values = _with_entry(
            claim,
            entry,
            _FINISH,
            claim.tenant,
            claim.turn,
            claim.thread,
            claim.fence,
            claim.owner,
            ending.status,
            reply.step if reply else ending.step,
            reply.as_json() if reply else None,
            rows.results(ending.results) if ending.results else None,
            ending.answer,
            (spend.usage if spend else Usage()).as_list(),
            ending.reason,
            ending.message,
            batch.first,
            batch.last,
            batch.events,
            rows.owed([spend] if spend else []),
            ending.owes_release,
        )
        found = await self._committed(_CLAIMED.format(call, len(values) + 1), *values, rows.HOLD)
        if entry is not None:
            observe(entry)
        return Finished(
            promoted=found[0]["outcome"] == "PROMOTED",
            owed=rows.owed_in(row for row in found if row["id"] is not None),
        )

    async def wait_for_provider(
        self, claim: Claim, wait: Wait, patience: timedelta, batch: Batch
    ) -> None:
        """Pauses the turn until its provider may be back.

        Raises:
            TurnFailedError: It has waited for as long as it may.
        """
        outcome = await self._commit(
            _WAIT,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            wait.credential,
            wait.delay,
            wait.waited,
            patience,
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
        )
        if outcome == "EXPIRED":
            raise wait.failure

    async def pause(self, claim: Claim, step: Step, pause: Pause, batch: Batch) -> None:
        """Pauses the turn until somebody decides about calls of a step."""
        await self._commit(
            _PAUSE,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            step.number,
            rows.results(step.calls),
            pause.id,
            items_json(pause.items),
            rules_json(pause.rules),
            pause.expires,
            batch.first,
            batch.last,
            batch.events,
            batch.reserve,
        )

    async def wait_for_admission(
        self,
        claim: Claim,
        *,
        reason: str,
        delay: timedelta,
        patience: timedelta,
        batch: Batch | None,
    ) -> bool:
        """Leaves the turn to wait for admission; without a batch nobody is told again.

        Returns:
            False when it has waited for as long as it may.
        """
        outcome = await self._commit(
            _WAIT_ADMISSION,
            claim.tenant,
            claim.turn,
            claim.fence,
            claim.owner,
            reason,
            delay,
            patience,
            batch.first if batch else 0,
            batch.last if batch else 0,
            batch.events if batch else None,
            batch.reserve if batch else 0,
        )
        return outcome != "EXPIRED"

    async def _commit_with(
        self, claim: Claim, entry: Entry | None, call: str, *values: object
    ) -> None:
        """Runs a commit, and writes the thread's ledger in the same statement if it stands."""
        call, values = _with_entry(claim, entry, call, *values)
        await self._commit(f"SELECT {call}", *values)
        if entry is not None:
            observe(entry)

    async def _commit(self, statement: str, *values: object) -> str:
        """Runs a commit that answers with its outcome alone."""
        outcome: str = (await self._committed(statement, *values))[0][0]
        return outcome

    async def _committed(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """Runs a commit until its outcome is known, which comes first in each row.

        A commit whose reply was lost is made again: the function finds that
        its own number is the committed one, and says OK.
        """
        found = await persist(lambda: self._pool.fetch(statement, *values), _PATIENCE_SECONDS)
        if found[0][0] == "STALE":
            raise FenceLostError
        if found[0][0] == "CANCEL":
            raise CancelDesiredError
        return found


def _with_entry(
    claim: Claim, entry: Entry | None, call: str, *values: object
) -> tuple[str, tuple[object, ...]]:
    """Returns a commit's call with the writing of a thread's ledger around it, and its values."""
    if entry is None:
        return call, values
    first = len(values) + 1
    return (
        f"with_prefix({call}, ${first}, ${first + 1}, ${first + 2}, ${first + 3})",
        (*values, claim.tenant, claim.thread, entry.as_json(), list(entry.elements)),
    )
