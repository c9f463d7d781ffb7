"""No statement writes for a claim that is stale: each function that takes a fence is tried."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.agent_runtime.turns.claims import Claims, call
from tests.agent_runtime.turns.world import World
from turnpike.agent_runtime.events.model import Batch, CancelDesiredError, Claim, FenceLostError
from turnpike.agent_runtime.turns.endings import Ending
from turnpike.agent_runtime.turns.model import Reply, Spend, Standing, Usage
from turnpike.agent_runtime.turns.requests import TurnRequests
from turnpike.agent_runtime.turns.store import TurnStore
from turnpike.database.engine import open_engine, open_pool
from turnpike.database.tenancy import system_transaction

ENDED = "COMPLETED"
# A value for each parameter that any of the functions has.
VALUES: dict[str, Any] = {
    "p_step": 1,
    "p_status": ENDED,
    "p_reply": '{"text": "hello", "reasoning": ""}',
    "p_calls": "[]",
    "p_results": "[]",
    "p_answer": "hello",
    "p_usage": [1, 1, 0, 0, 0],
    "p_reason": "",
    "p_message": "",
    "p_first": 1,
    "p_last": 2,
    "p_events": b"",
    "p_reserve": 20_000,
    "p_attempt": 1,
    "p_entries": "[]",
    "p_segment": 1,
    "p_snapshot": b"signed",
    "p_rates": "{}",
    "p_credential": "c" * 32,
    "p_delay": timedelta(minutes=1),
    "p_waited": timedelta(0),
    "p_patience": timedelta(hours=1),
    "p_items": "[]",
    "p_rules": "{}",
    "p_expires": datetime.now(UTC) + timedelta(hours=1),
}
WITHOUT_EVENTS = {"commit_admitted"}
"""Functions that commit nothing to the log."""


@pytest.fixture
async def claims(world: World) -> AsyncGenerator[Claims]:
    """Turns that a test owns; no replica runs."""
    async with await open_pool(world.urls.service) as pool:
        yield Claims(world, TurnRequests(pool), TurnStore(pool))


async def fenced_functions(world: World) -> dict[str, list[str]]:
    """Returns the parameters of each function that is given a fence."""
    rows = await world.superuser.fetch(
        "SELECT p.proname, p.proargnames FROM pg_proc p JOIN pg_namespace n"
        " ON n.oid = p.pronamespace WHERE n.nspname = 'agent_runtime'"
        " AND 'p_owner' = ANY(p.proargnames) AND 'p_fence' = ANY(p.proargnames)"
    )
    return {row["proname"]: row["proargnames"] for row in rows}


async def everything(world: World, turn: UUID) -> list[asyncpg.Record]:
    """Returns all that is stored of a turn."""
    rows = await world.superuser.fetch("SELECT * FROM turns WHERE id = $1", turn)
    for table in ("steps", "calls", "batches"):
        rows += await world.superuser.fetch(f"SELECT * FROM {table} WHERE turn = $1", turn)
    return rows


async def execute(world: World, name: str, parameters: list[str], claim: Claim) -> str:
    """Calls a function for a claim, as the service's role; returns its outcome."""
    given = {
        **VALUES,
        "p_tenant": claim.tenant,
        "p_turn": claim.turn,
        "p_thread": claim.thread,
        "p_fence": claim.fence,
        "p_owner": claim.owner,
        "p_approval": uuid4(),
    }
    connection = await asyncpg.connect(world.urls.service)
    try:
        return await call(connection, name, [given[parameter] for parameter in parameters])
    finally:
        await connection.close()


async def test_every_commit_is_given_a_fence(world: World):
    assert set(await fenced_functions(world)) == {
        "commit_admitted",
        "commit_asked",
        "commit_done",
        "commit_log",
        "commit_void",
        "finish_turn",
        "pause_turn",
        "wait_for_admission",
        "wait_for_provider",
    }


async def test_a_function_that_writes_for_the_current_claim_writes(world: World, claims: Claims):
    for name, parameters in (await fenced_functions(world)).items():
        claim = await claims.new()

        outcome = await execute(world, name, parameters, claim)

        assert outcome == "OK", name
        committed = (await world.row(str(claim.turn)))["committed_seq"]
        assert committed == (0 if name in WITHOUT_EVENTS else 2), name


async def test_a_function_refuses_every_stale_claim_and_writes_nothing(
    world: World, claims: Claims
):
    for name, parameters in (await fenced_functions(world)).items():
        claim = await claims.new()
        newer = await claims.take_over(claim)
        stale = [
            claim,
            replace(newer, owner=claim.owner),
            replace(newer, fence=newer.fence + 1),
            replace(claim, owner=newer.owner),
        ]
        before = await everything(world, claim.turn)

        outcomes = [await execute(world, name, parameters, each) for each in stale]

        assert outcomes == ["STALE"] * 4, name
        assert await everything(world, claim.turn) == before, name


async def test_another_tenants_claim_writes_nothing(world: World, claims: Claims):
    for name, parameters in (await fenced_functions(world)).items():
        claim = await claims.new()
        before = await everything(world, claim.turn)

        outcome = await execute(world, name, parameters, replace(claim, tenant=uuid4()))

        assert outcome == "STALE", name
        assert await everything(world, claim.turn) == before, name


async def test_a_turn_that_nobody_owns_is_written_by_nobody(world: World, claims: Claims):
    for name, parameters in (await fenced_functions(world)).items():
        claim = await claims.new()
        await claims.make_due(claim)
        before = await everything(world, claim.turn)

        outcome = await execute(world, name, parameters, claim)

        assert outcome == "STALE", name
        assert await everything(world, claim.turn) == before, name


async def test_the_same_commit_again_is_a_success_and_writes_nothing(world: World, claims: Claims):
    for name, parameters in (await fenced_functions(world)).items():
        claim = await claims.new()
        assert await execute(world, name, parameters, claim) == "OK"
        before = await everything(world, claim.turn)

        again = await execute(world, name, parameters, claim)

        assert again == "OK", name
        assert await everything(world, claim.turn) == before, name


async def test_a_stale_claim_gives_nothing_up(world: World, claims: Claims):
    claim = await claims.new()
    newer = await claims.take_over(claim)
    before = await everything(world, claim.turn)
    async with open_engine(world.urls.system, pool_size=1) as engine:
        for each in (claim, replace(newer, owner=claim.owner), replace(claim, owner=newer.owner)):
            async with system_transaction(engine) as connection:
                await claims.let_go(connection, each)

    assert await everything(world, claim.turn) == before


async def test_one_end_only(world: World, claims: Claims):
    claim = await claims.new()
    await claims.store.finish(claim, ending("COMPLETED"), batch(1, 1))

    for status in ("FAILED", "CANCELLED", "EXPIRED", "COMPLETED"):
        with pytest.raises(FenceLostError):
            await claims.store.finish(claim, ending(status), batch(2, 2))

    row = await world.row(str(claim.turn))
    assert (row["status"], row["committed_seq"]) == ("COMPLETED", 1)


async def test_what_an_admitted_segment_owes_at_its_end_is_claimed_with_it(
    world: World, claims: Claims
):
    admitted, unknown = await claims.new(), await claims.new()
    await claims.store.commit_admitted(admitted, Standing(admitted=1, snapshot=b"signed"))

    ours = (await claims.store.finish(admitted, ending("COMPLETED"), batch(1, 1))).owed
    left = (await claims.store.finish(unknown, ending("COMPLETED"), batch(1, 1))).owed

    assert [(row.turn, row.ends, row.of_segment, row.tries) for row in ours] == [
        (admitted.turn, True, 1, 1)
    ]
    # Nobody else settles it meanwhile; what is not ours to settle is due for all.
    due = await world.superuser.fetch(
        "SELECT turn FROM usage_outbox WHERE turn = ANY($1) AND due_at <= statement_timestamp()",
        [admitted.turn, unknown.turn],
    )
    assert (left, [row["turn"] for row in due]) == ([], [unknown.turn])


async def test_nothing_is_committed_once_a_cancellation_is_desired(claims: Claims):
    claim = await claims.new()
    await claims.desire_cancel(claim)

    with pytest.raises(CancelDesiredError):
        await claims.store.commit_asked(claim, reply(), [], batch(1, 1))
    with pytest.raises(CancelDesiredError):
        await claims.store.commit_done(claim, 1, [], batch(1, 1))
    with pytest.raises(CancelDesiredError):
        await claims.store.finish(claim, ending("COMPLETED"), batch(1, 1))
    await claims.store.finish(claim, ending("CANCELLED"), batch(1, 1))


async def test_no_row_is_without_an_owner_and_a_moment(world: World, claims: Claims):
    claim = await claims.new()

    for change in (
        "owner = NULL",
        "owner = NULL, status = 'QUEUED'",
        "owner = NULL, status = 'WAITING'",
    ):
        with pytest.raises(asyncpg.CheckViolationError, match="nobody_forgotten"):
            await world.superuser.execute(f"UPDATE turns SET {change} WHERE id = $1", claim.turn)


async def test_a_thread_runs_one_turn_whatever_is_written(world: World, claims: Claims):
    claim = await claims.new()
    other = await claims.new()

    with pytest.raises(asyncpg.UniqueViolationError, match="turns_one_per_thread"):
        await world.superuser.execute(
            "UPDATE turns SET thread = $2 WHERE id = $1", other.turn, claim.thread
        )


async def test_of_two_sweeps_each_turn_is_claimed_by_one(world: World, claims: Claims):
    due = {(await claims.due()).turn for _ in range(40)}
    # Both hold what they claimed until both have claimed.
    async with (
        open_engine(world.urls.system, pool_size=2) as engine,
        system_transaction(engine) as one,
        system_transaction(engine) as two,
    ):
        claimed = [await claims.claim_due(each) for each in (one, two)]

    ids = [turn.id for each in claimed for turn in each if turn.id in due]
    assert sorted(ids) == sorted(due)


async def test_a_process_that_was_declared_dead_claims_nothing(world: World, claims: Claims):
    claim = await claims.due()
    async with (
        open_engine(world.urls.system, pool_size=1) as engine,
        system_transaction(engine) as connection,
    ):
        claimed = await claims.claim_due(connection, dead=True)

    assert claimed == []
    assert (await world.row(str(claim.turn)))["owner"] is None


def reply() -> Reply:
    spend = Spend(step=1, attempt=1, model="model", usage=Usage())
    return Reply(step=1, text="hello", reasoning="", spend=spend)


def ending(status: str) -> Ending:
    return Ending(status=status, reply=None, results=[], step=0, answer="")


def batch(first: int, last: int) -> Batch:
    return Batch(first=first, last=last, events=b"", reserve=20_000)
