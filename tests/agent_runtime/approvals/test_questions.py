"""Agents that ask a person, and what waits for whom."""

import json
from typing import Any

import grpc
import pytest

from tests.agent_runtime.approvals.asking import (
    ASKS,
    FIRST,
    answered,
    approval_of,
    decide,
    inbox,
    let_pass,
    paused,
    refused,
    said,
    told,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World, begin
from turnpike.api.agent_runtime.v1 import approval_service_pb2 as pb
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus
from turnpike.rpc.errors import from_rpc_error

ASKING: dict[str, Any] = {"tools": ["turnpike/ask_person"]}
QUESTIONS = [
    {"id": "when", "question": "When?", "options": ["now", "later"]},
    {"id": "how_many", "question": "How many?", "schema": {"type": "integer", "maximum": 9}},
]


async def asked(tenant: Tenant, provider: Provider, questions: list[dict[str, Any]]) -> Any:
    """Returns a turn whose agent has asked."""
    arguments = json.dumps({"questions": questions})
    return await paused(tenant, provider, "turnpike__ask_person", arguments=arguments)


async def test_an_agent_asks_and_each_answer_fits_its_question(tenant: Tenant, provider: Provider):
    await tenant.agent(**ASKING)
    turn = await asked(tenant, provider, QUESTIONS)
    shown = turn.approval.questions

    assert [(each.call_id, each.id) for each in shown] == [(FIRST, "when"), (FIRST, "how_many")]
    unfit = await refused(
        tenant, turn.approval.id, said("answer", arguments='{"when": "never", "how_many": 10}')
    )
    assert [field for field, _ in unfit.fields] == [
        "decisions[0].arguments.when",
        "decisions[0].arguments.how_many",
    ]
    both = '{"when": "later", "how_many": 3}'
    await decide(tenant, turn.approval.id, said("answer", arguments=both))
    ended, ask = await answered(tenant, provider, turn.id)

    assert json.loads(told(ask)[0]) == {"when": "later", "how_many": 3}
    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    again = await refused(tenant, turn.approval.id, said("answer", arguments=both))
    assert again.reason == "APPROVAL_DECIDED"


@pytest.mark.parametrize(
    "questions",
    [
        pytest.param([], id="none"),
        pytest.param([{"id": f"q{n}", "question": "?"} for n in range(5)], id="five"),
        pytest.param([{"id": "1", "question": "?"}], id="a-name-that-is-none"),
        pytest.param([{"id": "a", "question": "x" * 2001}], id="too-long"),
        pytest.param([{"id": "a", "question": "?", "schema": {"type": 7}}], id="no-schema"),
    ],
)
async def test_what_is_no_question_is_told_to_the_model(
    tenant: Tenant, provider: Provider, questions: list[dict[str, Any]]
):
    await tenant.agent(**ASKING)
    turn, ask = await begin(tenant, provider)
    ask.ask_for("turnpike__ask_person", arguments=json.dumps({"questions": questions}))
    ended, ask = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert told(ask)[0]


async def test_nobody_answers_in_time_and_the_default_is_taken(
    world: World, tenant: Tenant, provider: Provider
):
    await tenant.agent(**ASKING)
    turn = await asked(tenant, provider, [{"id": "a", "question": "Go?", "default": "yes"}])
    await let_pass(world, turn.id, 25)
    ended, ask = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert json.loads(told(ask)[0]) == {"a": "yes"}


async def test_the_inbox_shows_what_waits_across_threads_and_counts_it(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    first = await paused(tenant, provider)
    second = await paused(tenant, provider)
    stranger = tenant.somebody()

    stream = tenant.runtime.approvals.WatchInbox(pb.WatchInboxRequest(), metadata=tenant.admin)
    counts = aiter(stream)
    counted = await anext(counts)
    assert (counted.pending, counted.mine) == (2, 2)
    assert counted.newest == second.approval.id
    pending = ["APPROVAL_STATUS_PENDING"]
    assert [each.turn for each in await inbox(tenant, statuses=pending)] == [second.id, first.id]
    assert [each.turn for each in await inbox(tenant, thread=first.thread)] == [first.id]
    assert not await inbox(tenant, by=stranger)
    await decide(tenant, first.approval.id, said("reject"))
    counted = await anext(counts)
    stream.cancel()
    assert (counted.pending, counted.mine) == (1, 1)
    assert counted.newest == second.approval.id
    assert [each.turn for each in await inbox(tenant, mine=True)] == [second.id]
    await answered(tenant, provider, first.id)


async def test_the_inbox_is_searched_by_tool_requester_and_time(
    tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant, **ASKS)
    first = await paused(tenant, provider)
    second = await paused(tenant, provider, "effects__peek")
    requester = (await approval_of(tenant, first.approval.id)).requester
    between = (await approval_of(tenant, second.approval.id)).create_time
    expires = (await approval_of(tenant, second.approval.id)).expire_time

    cases: list[tuple[dict[str, Any], list[Turn]]] = [
        ({"tool": "effects/transfer"}, [first]),
        ({"tool": "effects/p*k"}, [second]),
        # Of the glob's letters none but `*` stands for others.
        ({"tool": "effects/pe_k"}, []),
        ({"tool": "effects/pe%"}, []),
        ({"tool": "*"}, [second, first]),
        ({"requester": requester}, [second, first]),
        ({"requester": second.id}, []),
        ({"created_before": between}, [first]),
        ({"created_after": between}, [second]),
        ({"expires_before": expires}, [first]),
        ({"tool": "effects/*", "created_after": between, "mine": True}, [second]),
    ]
    for wanted, found in cases:
        listed = await inbox(tenant, **wanted)
        assert [each.turn for each in listed] == [turn.id for turn in found], wanted
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await inbox(tenant, requester="nobody")
    assert from_rpc_error(refusal.value).reason == "NOT_FOUND"
