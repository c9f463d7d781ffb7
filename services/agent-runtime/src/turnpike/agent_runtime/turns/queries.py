"""Reading turns and what they committed."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import RowMapping, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.turns.model import Call, PastTurn, Rate, Standing, Step, Turn, Usage

TURN_COLUMNS = """
id, position, tenant, thread, principal, api_key, attempt, status, waiting_for, agent,
agent_version, input, time_zone, metadata, traceparent, owner, owner_name, fence, desired,
fruitless, committed_seq, reserved_seq, step, answer, input_tokens, output_tokens,
cached_tokens, cache_write_tokens, cost_micro_usd, error_reason, error_message, created,
finished
"""
# What only a claim reads, and nobody is shown.
CLAIM_COLUMNS = (
    f"{TURN_COLUMNS}, snapshot, segment, admitted, rates, paid_step, paid_attempts, waits_step,"
    " admission_reason"
)

_GET = text(
    f"SELECT {TURN_COLUMNS} FROM turns"  # noqa: S608 # the columns are a constant
    " WHERE id = :turn AND (CAST(:principal AS uuid) IS NULL OR principal = :principal)"
)
_LIST = text(
    f"SELECT {TURN_COLUMNS} FROM turns"  # noqa: S608 # the columns are a constant
    " WHERE (CAST(:principal AS uuid) IS NULL OR principal = :principal)"
    " AND (CAST(:thread AS uuid) IS NULL OR thread = :thread)"
    " AND (CAST(:agent AS text) IS NULL OR agent = :agent)"
    " AND (CAST(:statuses AS text[]) IS NULL OR status = ANY(CAST(:statuses AS text[])))"
    " AND (CAST(:before AS bigint) IS NULL OR position < :before)"
    " ORDER BY position DESC LIMIT :limit"
)
_THREAD_EXISTS = text(
    "SELECT 1 FROM threads WHERE id = :thread AND NOT deleting"
    " AND (CAST(:principal AS uuid) IS NULL OR principal = :principal)"
)
_STEPS = text(
    "SELECT turn, step, reply, done FROM steps WHERE turn = ANY(:turns) ORDER BY turn, step"
)
_CALLS = text(
    "SELECT turn, step, ordinal, call_id, provider_id, name, arguments, definition_digest,"
    " outcome, result, structured FROM calls WHERE turn = ANY(:turns)"
    " ORDER BY turn, step, ordinal"
)
# What was refused or expired unheard was never said to a model, nor is a turn of one call.
_PAST = text(
    "SELECT id, position, input, created, time_zone FROM turns"
    " WHERE thread = :thread AND position < :position"
    " AND status IN ('COMPLETED', 'FAILED', 'CANCELLED')"
    " AND input->0->>'type' IS DISTINCT FROM 'call' ORDER BY position"
)


# What was said after the last reply counts by its bytes: the answers to its calls.
_HEAD = text(
    "SELECT t.agent_version, CAST(s.reply->>'tokens' AS bigint) AS tokens,"
    " (SELECT coalesce(sum(octet_length(c.result) + octet_length(c.structured) + 100), 0)"
    "  FROM calls c WHERE c.turn = t.id AND c.step = s.step) AS answers"
    " FROM turns t LEFT JOIN LATERAL (SELECT * FROM steps s WHERE s.turn = t.id"
    "  ORDER BY s.step DESC LIMIT 1) s ON true"
    " WHERE t.thread = :thread AND t.position < :position"
    " AND t.status IN ('COMPLETED', 'FAILED', 'CANCELLED')"
    " ORDER BY t.position DESC LIMIT 1"
)

_KNOWN = text(
    "SELECT EXISTS (SELECT FROM turns WHERE principal = :principal"
    " AND request_id = :request AND request_id <> '')"
)


async def is_known(connection: AsyncConnection, principal: UUID, request_id: str) -> bool:
    """Says whether somebody's request was claimed before."""
    values = {"principal": principal, "request": request_id}
    return bool(request_id) and bool(await connection.scalar(_KNOWN, values))


async def get_turn(
    connection: AsyncConnection, turn: UUID, *, principal: UUID | None
) -> Turn | None:
    """Returns a turn of the transaction's tenant; of `principal` only, unless None."""
    row = (await connection.execute(_GET, {"turn": turn, "principal": principal})).mappings()
    found = row.one_or_none()
    return turn_of(found) if found else None


async def list_turns(
    connection: AsyncConnection,
    *,
    principal: UUID | None,
    thread: UUID | None,
    agent: str | None,
    statuses: Sequence[str],
    before: int | None,
    limit: int,
) -> list[Turn]:
    """Returns turns, newest first, older than position `before`."""
    rows = await connection.execute(
        _LIST,
        {
            "principal": principal,
            "thread": thread,
            "agent": agent,
            "statuses": list(statuses) or None,
            "before": before,
            "limit": limit,
        },
    )
    return [turn_of(row) for row in rows.mappings()]


async def thread_exists(
    connection: AsyncConnection, thread: UUID, *, principal: UUID | None
) -> bool:
    """Says whether there is such a thread; of `principal`, unless None."""
    return (
        await connection.scalar(_THREAD_EXISTS, {"thread": thread, "principal": principal})
    ) is not None


async def head_tokens(connection: AsyncConnection, turn: Turn) -> int:
    """Returns what a thread's prompt has at most before a turn; 0 when nobody knows.

    What another agent version counted says nothing of this one's prompt.
    """
    values = {"thread": turn.thread, "position": turn.position}
    row = (await connection.execute(_HEAD, values)).one_or_none()
    if row is None or not row.tokens or row.agent_version != turn.agent_version:
        return 0
    return int(row.tokens + row.answers)


async def steps_of(connection: AsyncConnection, turns: Sequence[UUID]) -> dict[UUID, list[Step]]:
    """Returns the committed steps of turns, in order, with their calls."""
    calls: dict[tuple[UUID, int], list[Call]] = defaultdict(list)
    for row in (await connection.execute(_CALLS, {"turns": list(turns)})).mappings():
        values = dict(row)
        calls[values.pop("turn"), values.pop("step")].append(Call(**values))
    steps: dict[UUID, list[Step]] = defaultdict(list)
    for row in await connection.execute(_STEPS, {"turns": list(turns)}):
        wrapped = row.reply.get("wrapped", {})
        for call in calls[row.turn, row.step]:
            call.wrapping = wrapped.get(str(call.ordinal), "")
        steps[row.turn].append(
            Step(
                turn=row.turn,
                number=row.step,
                text=row.reply["text"],
                reasoning=row.reply["reasoning"],
                thoughts=row.reply.get("thoughts", ""),
                done=row.done,
                tokens=row.reply.get("tokens", 0),
                calls=calls[row.turn, row.step],
            )
        )
    return steps


async def past_turns(connection: AsyncConnection, turn: Turn) -> list[PastTurn]:
    """Returns what was said in the thread before `turn`, oldest first."""
    rows = (
        await connection.execute(_PAST, {"thread": turn.thread, "position": turn.position})
    ).all()
    steps = await steps_of(connection, [row.id for row in rows]) if rows else {}
    return [
        PastTurn(
            id=row.id,
            position=row.position,
            input=row.input,
            created=row.created,
            time_zone=row.time_zone,
            steps=steps.get(row.id, []),
        )
        for row in rows
    ]


def turn_of(row: RowMapping) -> Turn:
    """Returns the turn in a row of `TURN_COLUMNS`, or of `CLAIM_COLUMNS`."""
    values = dict(row)
    usage = Usage(
        input_tokens=values.pop("input_tokens"),
        output_tokens=values.pop("output_tokens"),
        cached_tokens=values.pop("cached_tokens"),
        cache_write_tokens=values.pop("cache_write_tokens"),
        cost_micro_usd=values.pop("cost_micro_usd"),
    )
    if "snapshot" in values:
        values["standing"] = _standing_of(values)
    return Turn(usage=usage, **values)


def _standing_of(values: dict[str, Any]) -> Standing:
    rates: dict[str, dict[str, Any]] = values.pop("rates")
    return Standing(
        segment=values.pop("segment"),
        admitted=values.pop("admitted"),
        snapshot=values.pop("snapshot") or b"",
        rates={model: Rate(**rate) for model, rate in rates.items()},
        paid_step=values.pop("paid_step"),
        paid_attempts=values.pop("paid_attempts"),
    )
