"""The hot statements of a turn: one SQL function, one round trip each.

They use the driver's pool, because the path from a request to its first word
crosses this module twice; everything else goes through SQLAlchemy.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.events.model import (
    Batch,
    CancelDesiredError,
    Claim,
    FenceLostError,
)
from turnpike.agent_runtime.prefix.model import Entry
from turnpike.agent_runtime.prefix.observing import observe
from turnpike.agent_runtime.turns.model import Call, StartRequest, Usage
from turnpike.database.failures import is_unavailable

T = TypeVar("T")

_PATIENCE_SECONDS = 30.0
_CLAIM = "SELECT * FROM claim_turn({})".format(", ".join(f"${i}" for i in range(1, 21)))  # noqa: S608 # placeholders
_ASKED = "SELECT commit_asked({})".format(", ".join(f"${i}" for i in range(1, 13)))
_DONE = "SELECT commit_done({})".format(", ".join(f"${i}" for i in range(1, 11)))
_LOG = "SELECT commit_log($1, $2, $3, $4, $5, $6, $7, $8)"
_FINISH = "SELECT finish_turn({})".format(", ".join(f"${i}" for i in range(1, 17)))
_CANCEL = "SELECT * FROM cancel_turn($1, $2, $3, $4)"
_QUEUE_DEADLINE = timedelta(hours=24)


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What became of a claim: CREATED, QUEUED, EXISTS, REUSED, BUSY, NO_THREAD, NO_AGENT."""

    outcome: str
    turn: UUID
    thread: UUID
    version: UUID
    attempt: int
    position: int
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a model said in one step."""

    step: int
    text: str
    reasoning: str
    usage: Usage

    def as_json(self) -> str:
        """Returns what is stored of it."""
        return orjson.dumps({"text": self.text, "reasoning": self.reasoning}).decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ends."""

    status: str
    reply: Reply | None
    """What the model said since the last commit, if anything."""

    results: list[Call]
    """Calls of the open step, closed."""

    step: int
    """The step of those calls."""

    answer: str | None
    """The turn's answer; None keeps what is stored."""

    reason: str = ""
    message: str = ""


class TurnStore:
    """Writes turns. Every write names its claim's fence, and is refused when that is stale."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def claim(
        self,
        request: StartRequest,
        *,
        turn: UUID,
        new_thread: UUID,
        version: UUID | None,
        digest: bytes,
        owner: UUID,
        owner_name: str,
        reserve: int,
    ) -> Claimed:
        """Claims the request's id and its thread, or finds who did."""
        row = await self._pool.fetchrow(
            _CLAIM,
            request.tenant,
            turn,
            request.thread or new_thread,
            request.thread is None,
            request.principal,
            request.any_principal,
            request.api_key,
            request.request_id,
            digest,
            request.agent,
            version,
            orjson.dumps(request.input).decode(),
            request.time_zone,
            orjson.dumps(dict(request.metadata)).decode(),
            request.traceparent,
            request.enqueue,
            _QUEUE_DEADLINE,
            owner,
            owner_name,
            reserve,
        )
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        return Claimed(**dict(row))

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
            reply.as_json(),
            orjson.dumps([_asked(call) for call in calls]).decode(),
            reply.usage.as_list(),
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
            _results(calls),
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
    ) -> bool:
        """Ends the turn: final message, status and terminal event together.

        Returns:
            Whether the thread's next turn is due now.
        """
        reply = ending.reply
        outcome = await self._commit_with(
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
            _results(ending.results) if ending.results else None,
            ending.answer,
            (reply.usage if reply else Usage()).as_list(),
            ending.reason,
            ending.message,
            batch.first,
            batch.last,
            batch.events,
        )
        return outcome == "PROMOTED"

    async def cancel(
        self, tenant: UUID, turn: UUID, principal: UUID, *, any_principal: bool
    ) -> tuple[str, UUID | None]:
        """Asks for a cancellation: NONE, ENDED, ASKED (with the owner) or DUE."""
        row = await self._pool.fetchrow(_CANCEL, tenant, turn, principal, any_principal)
        assert row is not None, "a function with OUT parameters returns one row"  # noqa: S101
        return row["outcome"], row["owner"]

    async def _commit_with(
        self, claim: Claim, entry: Entry | None, statement: str, *values: object
    ) -> str:
        """Runs a commit, and writes the thread's ledger in the same statement if it stands."""
        if entry is None:
            return await self._commit(statement, *values)
        first = len(values) + 1
        call = statement.removeprefix("SELECT ")
        written = await self._commit(
            f"SELECT with_prefix({call}, ${first}, ${first + 1}, ${first + 2}, ${first + 3})",
            *values,
            claim.tenant,
            claim.thread,
            entry.as_json(),
            list(entry.elements),
        )
        if entry.reported is not None:
            observe(entry)
        return written

    async def _commit(self, statement: str, *values: object) -> str:
        """Runs a commit until its outcome is known.

        A commit whose reply was lost is made again: the function finds that
        its own number is the committed one, and says OK.
        """
        outcome: str = await _persist(lambda: self._pool.fetchval(statement, *values))
        if outcome == "STALE":
            raise FenceLostError
        if outcome == "CANCEL":
            raise CancelDesiredError
        return outcome


async def _persist(attempt: Callable[[], Awaitable[T]]) -> T:
    give_up_at = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            return await attempt()
        except Exception as error:
            if not is_unavailable(error) or time.monotonic() > give_up_at:
                raise
        await asyncio.sleep(0.2)


def _asked(call: Call) -> dict[str, object]:
    return {
        "ordinal": call.ordinal,
        "call_id": call.call_id,
        "provider_id": call.provider_id,
        "name": call.name,
        "arguments": call.arguments,
        "definition_digest": call.definition_digest,
    }


def _results(calls: list[Call]) -> str:
    return orjson.dumps(
        [
            {
                "ordinal": call.ordinal,
                "outcome": call.outcome,
                "result": call.result,
                "structured": call.structured,
            }
            for call in calls
            if call.outcome
        ]
    ).decode()
