"""What a start is worth to those who call twice, at once, or not at all any more."""

import asyncio
from uuid import UUID, uuid4

import grpc

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.world import Served, World, begin, kinds
from tests.waiting import refusal, until
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.api.agent_runtime.v1.thread_service_pb2 import DeleteThreadRequest
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus

ENQUEUE = pb.ON_BUSY_ENQUEUE


async def threads_of(world: World, tenant: Tenant) -> int:
    return await world.superuser.fetchval(
        "SELECT count(*) FROM threads WHERE tenant = $1", UUID(tenant.id)
    )


async def test_a_hundred_identical_requests_make_one_turn_in_one_new_thread(
    world: World, tenant: Tenant, provider: Provider
):
    starting = [asyncio.create_task(tenant.start(request_id="the same")) for _ in range(100)]
    ask = await provider.asked()
    turns = await asyncio.gather(*starting)
    ask.answer("hello")

    assert len({turn.id for turn in turns}) == 1
    assert await threads_of(world, tenant) == 1
    assert (await tenant.ended(turns[0].id)).text == "hello"
    assert len([each for each in provider.asks if each is ask]) == 1


async def test_one_request_of_a_hundred_says_that_it_made_the_turn(
    tenant: Tenant, provider: Provider
):
    request = pb.StartTurnRequest(
        agent="agent", input=[pb.ContentPart(text="hello")], request_id="the same"
    )

    async def start() -> bool:
        response = await tenant.runtime.turns.StartTurn(request, metadata=tenant.admin)
        return response.created

    starting = [asyncio.create_task(start()) for _ in range(100)]
    (await provider.asked()).answer("hello")

    assert sum(await asyncio.gather(*starting)) == 1


async def test_the_same_request_finds_its_turn_after_its_end(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider, request_id="again")
    ask.answer("hello")
    await tenant.ended(turn.id)

    again = await tenant.start(request_id="again")

    assert (again.id, again.text) == (turn.id, "hello")
    assert again.status == TurnStatus.TURN_STATUS_COMPLETED


async def test_another_payload_with_the_same_key_is_refused(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider, request_id="key")

    refused = await refusal(tenant.start("something else", request_id="key"))
    ask.answer("hello")

    assert refused.reason == "IDEMPOTENCY_KEY_REUSED"
    assert refused.metadata["turn"] == turn.id
    assert (await tenant.ended(turn.id)).text == "hello"


async def test_principals_have_their_keys_apart(tenant: Tenant, provider: Provider):
    somebody = tenant.somebody()
    turn, ask = await begin(tenant, provider, request_id="key")
    other, other_ask = await begin(tenant, provider, request_id="key", metadata=somebody)
    ask.answer("a")
    other_ask.answer("b")

    assert turn.id != other.id


async def test_a_refused_turns_key_may_try_again_in_the_same_thread(
    world: World, here: Served, provider: Provider
):
    tenant = await world.tenant(here, slots=1)
    first, ask = await begin(tenant, provider)

    refused = await refusal(tenant.start(request_id="key"))
    assert refused.reason == "CONCURRENCY_LIMITED"
    lost = await tenant.turn(refused.metadata["turn"])
    assert lost.status == TurnStatus.TURN_STATUS_REFUSED
    assert kinds(await world.log(lost.id)) == ["turn_finished"]
    ask.answer("done")
    await tenant.ended(first.id)
    turn, ask = await begin(tenant, provider, request_id="key")
    ask.answer("now")

    assert turn.id != lost.id
    assert turn.thread == lost.thread
    assert (await world.row(turn.id))["attempt"] == 2
    assert (await tenant.ended(turn.id)).text == "now"
    assert await threads_of(world, tenant) == 2


async def test_a_refusal_takes_no_slot(world: World, here: Served, provider: Provider):
    tenant = await world.tenant(here, slots=1)
    first, ask = await begin(tenant, provider)
    await asyncio.gather(*(refusal(tenant.start()) for _ in range(5)))
    ask.answer("done")
    await tenant.ended(first.id)

    turn, ask = await begin(tenant, provider)
    ask.answer("done")

    assert (await tenant.ended(turn.id)).status == TurnStatus.TURN_STATUS_COMPLETED


async def test_a_busy_thread_says_which_turn_it_runs(tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)

    refused = await refusal(tenant.start(thread=turn.thread))
    ask.answer("hello")

    assert refused.reason == "THREAD_BUSY"
    assert refused.metadata["turn"] == turn.id


async def test_one_turn_of_a_thread_runs_however_many_are_started(
    world: World, tenant: Tenant, provider: Provider
):
    turn, ask = await begin(tenant, provider)
    ask.answer("hello")
    await tenant.ended(turn.id)

    starting = [asyncio.create_task(tenant.start(thread=turn.thread)) for _ in range(20)]
    ask = await provider.asked()
    outcomes = await asyncio.gather(*starting, return_exceptions=True)
    running = await world.superuser.fetchval(
        "SELECT count(*) FROM turns WHERE thread = $1 AND status = 'RUNNING'", UUID(turn.thread)
    )
    ask.answer("hello")

    assert sum(not isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert running == 1


async def test_queued_turns_run_in_order_one_at_a_time(
    world: World, tenant: Tenant, provider: Provider
):
    first, ask = await begin(tenant, provider, text="1")
    queued = [
        await tenant.start(str(number), thread=first.thread, on_busy=ENQUEUE)
        for number in range(2, 6)
    ]
    assert {turn.status for turn in queued} == {TurnStatus.TURN_STATUS_QUEUED}

    for number, turn in enumerate([first, *queued], start=1):
        rows = await world.superuser.fetch(
            "SELECT id FROM turns WHERE thread = $1 AND status = 'RUNNING'", UUID(first.thread)
        )
        assert [str(row["id"]) for row in rows] == [turn.id]
        assert ask.prompt[-1] == ("user", str(number))
        ask.answer(f"answer {number}")
        await tenant.ended(turn.id)
        if number < 5:
            ask = await provider.asked()

    assert ("assistant", "answer 4") in ask.prompt


async def test_twenty_at_once_are_queued_and_all_run_once(
    world: World, tenant: Tenant, provider: Provider
):
    first, ask = await begin(tenant, provider)
    starting = (tenant.start(f"{n}", thread=first.thread, on_busy=ENQUEUE) for n in range(20))
    queued = await asyncio.gather(*starting)
    for _ in range(20):
        ask.answer("x")
        ask = await provider.asked()
    ask.answer("x")
    ended = [await tenant.ended(turn.id) for turn in queued]

    assert {turn.status for turn in ended} == {TurnStatus.TURN_STATUS_COMPLETED}
    fences = await world.superuser.fetch(
        "SELECT fence FROM turns WHERE thread = $1 ORDER BY position", UUID(first.thread)
    )
    assert [row["fence"] for row in fences] == [1] * 21


async def test_a_turn_whose_thread_is_never_free_expires(
    world: World, tenant: Tenant, provider: Provider
):
    first, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=first.thread, on_busy=ENQUEUE)
    await world.superuser.execute(
        "UPDATE turns SET due_at = statement_timestamp() WHERE id = $1", UUID(queued.id)
    )

    expired = await tenant.ended(queued.id)
    ask.answer("still here")

    assert expired.status == TurnStatus.TURN_STATUS_EXPIRED
    assert expired.error.reason == "DEADLINE_EXCEEDED"
    assert (await tenant.ended(first.id)).text == "still here"


async def test_a_queued_turn_whose_ending_owner_died_is_ended_by_the_next(
    world: World, tenant: Tenant, provider: Provider
):
    # Its claim for ending died before it wrote anything: the fence is above 0, the
    # head is lost, so there is a reset to be written for a turn that never ran.
    first, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=first.thread, on_busy=ENQUEUE)
    await world.superuser.execute(
        "UPDATE turns SET fence = 1, due_at = statement_timestamp() WHERE id = $1",
        UUID(queued.id),
    )

    expired = await tenant.ended(queued.id)
    ask.answer("done")

    assert expired.status == TurnStatus.TURN_STATUS_EXPIRED


async def test_a_caller_who_hangs_up_while_his_turn_is_admitted_has_a_turn(
    world: World, tenant: Tenant, provider: Provider
):
    request = pb.StartTurnRequest(
        agent="agent", input=[pb.ContentPart(text="hello")], request_id="hangs up"
    )
    async with world.admission_held() as admitting:
        calling = tenant.runtime.turns.StartTurn(request, metadata=tenant.admin)
        await admitting()
        calling.cancel()
    ask = await provider.asked()
    ask.answer("hello")

    turn = await tenant.start(request_id="hangs up")
    ended = await tenant.ended(turn.id)

    assert (ended.text, (await world.row(turn.id))["fence"]) == ("hello", 1)


async def test_an_unknown_agent_and_an_unknown_thread_leave_nothing_behind(
    world: World, tenant: Tenant
):
    before = await world.count("turns"), await world.count("threads")

    no_agent = await refusal(tenant.start(agent="nobody"))
    no_thread = await refusal(tenant.start(thread=str(uuid4())))
    no_id = await refusal(tenant.start(thread="no id"))

    assert {each.code for each in (no_agent, no_thread, no_id)} == {grpc.StatusCode.NOT_FOUND}
    assert (await world.count("turns"), await world.count("threads")) == before


async def test_a_deleted_threads_turn_ends_first(world: World, tenant: Tenant, provider: Provider):
    turn, ask = await begin(tenant, provider)
    queued = await tenant.start(thread=turn.thread, on_busy=ENQUEUE)

    await tenant.runtime.threads.DeleteThread(
        DeleteThreadRequest(id=turn.thread), metadata=tenant.admin
    )

    await asyncio.wait_for(ask.closed.wait(), 15)
    for each in (turn, queued):
        assert (await refusal(tenant.turn(each.id))).code is grpc.StatusCode.NOT_FOUND


async def test_a_prompt_beyond_what_gatekeeper_reckons_with_is_asked(world: World, tenant: Tenant):
    """Its bytes are more than it has tokens, which nobody has counted yet."""
    await tenant.model()
    parts = [pb.ContentPart(text="x" * 1_000_000) for _ in range(11)]
    request = pb.StartTurnRequest(agent="agent", input=parts)

    started = await tenant.runtime.turns.StartTurn(request, metadata=tenant.admin)

    async def is_completed() -> bool:
        return (await world.row(started.turn.id))["status"] == "COMPLETED"

    await until(is_completed)
