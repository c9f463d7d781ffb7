"""The ledger's own guards, where two executors believe that a call is theirs."""

import dataclasses
from collections.abc import AsyncGenerator
from uuid import UUID, uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.engine import open_engine, open_pool
from turnpike.database.migration import MigrationUrls
from turnpike.database.replicas import Lease
from turnpike.database.tenancy import system_transaction
from turnpike.tool_registry import orphans
from turnpike.tool_registry.ledger import Ledger, Readiness
from turnpike.tool_registry.model import Call, CallRequest, CallStatus, Outcome

DONE = Outcome(status=CallStatus.SUCCEEDED, result="[]")


@pytest.fixture(scope="module")
def urls(unserved_urls: MigrationUrls) -> MigrationUrls:
    """The ways into a database in which no replica serves: it would take what is taken here."""
    return unserved_urls


@pytest.fixture
async def ledger(urls: MigrationUrls) -> AsyncGenerator[Ledger]:
    pool = await open_pool(urls.service)
    yield Ledger(pool)
    await pool.close()


@pytest.fixture
async def system(urls: MigrationUrls) -> AsyncGenerator[AsyncEngine]:
    async with open_engine(urls.system) as engine:
        yield engine


@pytest.fixture
async def lease(system: AsyncEngine) -> Lease:
    """A living executor."""
    lease = Lease(f"test-{uuid4()}", "")
    async with system_transaction(system) as connection:
        await lease.register(connection)
    return lease


def request() -> CallRequest:
    return CallRequest(
        tenant=uuid4(),
        turn=uuid4(),
        fence=1,
        step=1,
        ordinal=0,
        tool="effects/transfer",
        arguments="{}",
        definition_digest="sha256:0",
        timeout_seconds=60,
        principal="",
        traceparent="",
    )


async def begin(ledger: Ledger, asked: CallRequest, executor: UUID) -> tuple[str, Call]:
    begun = await ledger.begin(asked, digest="d", executor=executor, ready=Readiness())
    assert begun.call is not None
    return begun.outcome, begun.call


async def settle(system: AsyncEngine) -> None:
    async with system_transaction(system) as connection:
        await orphans.settle(connection)


async def test_an_executor_whose_call_was_taken_can_neither_send_nor_finish_it(
    ledger: Ledger, system: AsyncEngine, lease: Lease
):
    asked = request()
    _, dead = await begin(ledger, asked, uuid4())
    await settle(system)
    outcome, taken = await begin(ledger, asked, lease.id)

    assert (outcome, taken.attempt, taken.executor) == ("TAKEN", 2, lease.id)
    assert not await ledger.dispatch(dead, repeatable=False)
    assert (await ledger.finish(dead, DONE)).status is CallStatus.PENDING
    assert await ledger.dispatch(taken, repeatable=False)
    assert (await ledger.finish(taken, DONE)).status is CallStatus.SUCCEEDED


async def test_an_earlier_attempt_of_the_same_executor_is_another(ledger: Ledger, lease: Lease):
    _, call = await begin(ledger, request(), lease.id)
    stale = dataclasses.replace(call, attempt=7)

    assert not await ledger.dispatch(stale, repeatable=False)
    assert (await ledger.finish(stale, DONE)).status is CallStatus.PENDING


async def test_a_commit_whose_reply_was_lost_is_found_again(ledger: Ledger, lease: Lease):
    asked = request()
    _, call = await begin(ledger, asked, lease.id)

    assert (await begin(ledger, asked, lease.id))[0] == "OWN"
    assert await ledger.dispatch(call, repeatable=False)
    assert await ledger.dispatch(call, repeatable=False)
    first = await ledger.finish(call, DONE)
    again = await ledger.finish(call, DONE)
    assert first.status is again.status is CallStatus.SUCCEEDED
    assert not await ledger.dispatch(call, repeatable=False)


async def test_a_finished_call_is_never_sent_again(ledger: Ledger, lease: Lease):
    asked = request()
    _, call = await begin(ledger, asked, lease.id)
    await ledger.cancel(asked.tenant, asked.turn, 1, asked.effect)

    assert not await ledger.dispatch(call, repeatable=True)
    assert (await ledger.finish(call, DONE)).status is CallStatus.CANCELLED


async def test_of_many_who_take_an_orphan_one_does(
    ledger: Ledger, system: AsyncEngine, lease: Lease
):
    asked = request()
    await begin(ledger, asked, uuid4())
    await settle(system)

    async with system_transaction(system) as one, system_transaction(system) as two:
        first = await orphans.take(one, lease.id, room=1000)
        second = await orphans.take(two, uuid4(), room=1000)

    assert asked.effect in {call.effect for call in first}
    assert asked.effect not in {call.effect for call in second}


async def test_a_living_executors_calls_are_left_to_it(
    ledger: Ledger, system: AsyncEngine, lease: Lease, superuser: asyncpg.Connection
):
    asked = request()
    _, call = await begin(ledger, asked, lease.id)
    await ledger.dispatch(call, repeatable=False)
    await settle(system)

    assert (await begin(ledger, asked, uuid4()))[0] == "JOINED"
    await superuser.execute("UPDATE replicas SET dead = true WHERE id = $1", lease.id)
    await settle(system)
    outcome, settled = await begin(ledger, asked, uuid4())
    assert (outcome, settled.status) == ("JOINED", CallStatus.UNKNOWN)
