"""The effect ledger, kept in Postgres.

Each statement is one SQL function of the migrations: one round trip and one
transaction, with its guard inside.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg

from turnpike.tool_registry.model import Call, CallRequest, CallStatus, Outcome, Reply, Resolution

# `seconds_left` is the statement's: no two clocks are compared.
_BEGIN = (
    "SELECT outcome, known, (call).*, seconds_left(call) FROM"
    " begin_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)"
)
_CANCEL = "SELECT accepted, known, (call).*, seconds_left(call) FROM cancel_call($1, $2, $3, $4)"
_FINISH = "SELECT c.*, seconds_left(c) FROM finish_call($1, $2, $3, $4, $5, $6, $7, $8) c"
_RESOLVE = (
    "SELECT accepted, known, resolved, (call).*, seconds_left(call) FROM"
    " resolve_call($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)"
)
_ANSWER = (
    "SELECT accepted, known, answered, (call).*, seconds_left(call) FROM"
    " answer_call($1, $2, $3, $4, $5, $6, $7, $8, $9)"
)
_READ = "SELECT c.*, seconds_left(c) FROM read_call($1, $2) c"


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What writing a call came to."""

    outcome: str
    """`CREATED`, `TAKEN`, `OWN`, `JOINED`, `MISMATCH` or `STALE`."""

    known: int
    """The highest fence of the turn."""

    call: Call | None
    """The row, unless the fence is stale."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """What a caller of `begin` has prepared: it can send at once."""

    etag: str = ""
    repeatable: bool = False
    credential: str = ""


class Ledger:
    """The calls of every tenant; each method names the tenant that it works for."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def announce(self, tenant: UUID, turn: UUID, fence: int) -> tuple[bool, int]:
        """Raises a turn's fence; says whether it was accepted, and the highest known."""
        row = await self._pool.fetchrow(
            "SELECT accepted, known FROM raise_fence($1, $2, $3)", tenant, turn, fence
        )
        return _first(row)["accepted"], _first(row)["known"]

    async def begin(
        self, request: CallRequest, *, digest: str, executor: UUID, ready: Readiness
    ) -> Begun:
        """Writes a call for `executor` to run, or finds it written."""
        row = _first(
            await self._pool.fetchrow(
                _BEGIN,
                request.tenant,
                request.turn,
                request.fence,
                request.step,
                request.ordinal,
                digest,
                request.tool,
                request.definition_digest,
                request.arguments,
                request.principal,
                request.traceparent,
                timedelta(seconds=request.timeout_seconds),
                executor,
                ready.etag,
                ready.repeatable,
                request.conversation,
                ready.credential,
            )
        )
        call = None if row["outcome"] == "STALE" else to_call(row)
        return Begun(outcome=row["outcome"], known=row["known"], call=call)

    async def dispatch(self, call: Call, *, repeatable: bool) -> bool:
        """Marks a call as dispatched; False when it is no longer this executor's to send."""
        return await self._pool.fetchval(
            "SELECT dispatch_call($1, $2, $3, $4, $5)",
            call.tenant,
            call.effect,
            call.executor,
            call.attempt,
            repeatable,
        )

    async def note_task(self, call: Call, task: str) -> bool:
        """Writes down a call's task; False when the call is no longer this executor's."""
        return await self._pool.fetchval(
            "SELECT note_task($1, $2, $3, $4, $5)",
            call.tenant,
            call.effect,
            call.executor,
            call.attempt,
            task,
        )

    async def finish(self, call: Call, outcome: Outcome) -> Call:
        """Completes a call, unless it is no longer this executor's; returns it as it stands."""
        row = await self._pool.fetchrow(
            _FINISH,
            call.tenant,
            call.effect,
            call.executor,
            call.attempt,
            outcome.status.value,
            outcome.result,
            outcome.structured,
            outcome.reason,
        )
        return to_call(_first(row))

    async def cancel(
        self, tenant: UUID, turn: UUID, fence: int, effect: str
    ) -> tuple[bool, int, Call | None]:
        """Cancels a call that is not over; says whether the fence was accepted, and the row."""
        row = _first(
            await self._pool.fetchrow(
                _CANCEL,
                tenant,
                turn,
                fence,
                effect,
            )
        )
        return row["accepted"], row["known"], to_call(row) if row["effect"] else None

    async def resolve(
        self, resolution: Resolution, *, result: str, executor: UUID
    ) -> tuple[bool, int, bool, Call | None]:
        """Settles a call of unknown outcome, or has it run again by `executor`.

        Says whether the fence was accepted, the highest known, whether it was settled
        so, and the row.
        """
        row = _first(
            await self._pool.fetchrow(
                _RESOLVE,
                resolution.tenant,
                resolution.turn,
                resolution.fence,
                resolution.effect,
                resolution.generation,
                resolution.verdict,
                result,
                resolution.by,
                executor,
                timedelta(seconds=resolution.timeout_seconds),
            )
        )
        call = to_call(row) if row["effect"] else None
        return row["accepted"], row["known"], bool(row["resolved"]), call

    async def answer(
        self, reply: Reply, *, answers: str, executor: UUID
    ) -> tuple[bool, int, bool, Call | None]:
        """Has a call go on by `executor` with what a person gave.

        Says whether the fence was accepted, the highest known, whether the call waited
        for it, and the row.
        """
        row = _first(
            await self._pool.fetchrow(
                _ANSWER,
                reply.tenant,
                reply.turn,
                reply.fence,
                reply.effect,
                reply.generation,
                answers,
                reply.by,
                executor,
                timedelta(seconds=reply.timeout_seconds),
            )
        )
        call = to_call(row) if row["effect"] else None
        return row["accepted"], row["known"], bool(row["answered"]), call

    async def read(self, tenant: UUID, effect: str) -> Call | None:
        """Returns a call as it stands."""
        row = await self._pool.fetchrow(_READ, tenant, effect)
        return to_call(row) if row else None


def to_call(row: Any) -> Call:
    """Returns a row of the table `calls` as a value."""
    return Call(
        tenant=row["tenant"],
        effect=row["effect"],
        tool=row["tool"],
        arguments=row["arguments"],
        definition_digest=row["definition_digest"],
        principal=row["principal"],
        conversation=row["conversation"] or str(row["turn"]),
        generation=row["generation"],
        task=row["task"],
        resolved_by=row["resolved_by"],
        executor=row["executor"],
        attempt=row["attempt"],
        repeatable=row["repeatable"],
        status=CallStatus(row["status"]),
        result=row["result"],
        structured=row["structured"],
        reason=row["reason"],
        traceparent=row["traceparent"],
        answers=row["answers"],
        seconds_left=row["seconds_left"],
    )


def _first(row: asyncpg.Record | None) -> asyncpg.Record:
    # A function that returns one composite always gives one row.
    if row is None:
        raise LookupError("the ledger's statement gave no row")
    return row
