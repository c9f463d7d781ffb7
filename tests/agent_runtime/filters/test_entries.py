"""Wherever people write something, it passes the tenant's filters before anything happens."""

import asyncio
import json
from typing import Any
from uuid import uuid4

import grpc
import pytest

from tests.agent_runtime.approvals.asking import FIRST, answered, decide, said
from tests.agent_runtime.filters.entries import ENTRIES, Entry, Ready, Write, with_tools
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import Served, World
from tests.waiting import refusal
from turnpike.agent_runtime.filters.screens import compiled
from turnpike.api.agent_runtime.v1 import policy_service_pb2 as policies
from turnpike.api.agent_runtime.v1.completion_service_pb2 import AskPlannerRequest
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.agent_runtime.v1.policy_pb2 import TenantPolicy, TextFilter
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    Invocation,
    StartTurnRequest,
)
from turnpike.rpc.identity import Signer

CARD = "4111111111111111"
MASKED = "pay with [card], twice: [card]"
TEXT = f"pay with {CARD}, twice: {CARD}"
REASON = "no card numbers here"


async def filter_with(tenant: Tenant, *filters: TextFilter, **policy: Any) -> str:
    """Makes these the tenant's filters; returns the version of its policy."""
    said = TenantPolicy(text_filters=filters, **policy)
    response = await tenant.runtime.policies.UpdatePolicy(
        policies.UpdatePolicyRequest(tenant=said), metadata=tenant.admin
    )
    return response.version.id


def card(action: str) -> TextFilter:
    return TextFilter(
        name="card", pattern=r"4\d{15}", action=f"TEXT_FILTER_ACTION_{action}", reason=REASON
    )


async def places(world: World, text: str) -> list[str]:
    """Returns the tables that have a text somewhere, be it in bytes."""
    tables = await world.superuser.fetch(
        "SELECT table_name AS name FROM information_schema.tables"
        " WHERE table_schema = 'agent_runtime' AND table_type = 'BASE TABLE'"
    )
    found: list[str] = []
    for (name,) in tables:
        like = f"SELECT count(*) FROM {name} t WHERE t::text LIKE $1 OR t::text LIKE $2"
        if await world.superuser.fetchval(like, f"%{text}%", f"%{text.encode().hex()}%"):
            found.append(name)
    return found


async def rows(world: World, tenant: Tenant) -> list[int]:
    """Returns how many rows a tenant has of what a request could have added."""
    return [
        await world.superuser.fetchval(
            f"SELECT count(*) FROM {table} WHERE tenant::text = $1", tenant.id
        )
        for table in ("turns", "threads", "decisions", "audit_entries", "batches")
    ]


@pytest.fixture
def entry(tenant: Tenant, provider: Provider, tools: Tools) -> Entry:
    return Entry(tenant, provider, tools)


@pytest.mark.parametrize(("ready", "write", "field"), ENTRIES)
async def test_what_is_masked_is_nowhere(
    world: World, entry: Entry, ready: Ready, write: Write, field: str
):
    secret = f"4{uuid4().int % 10**15:015d}"
    await ready(entry)
    await filter_with(entry.tenant, card("MASK"), deny=["nothing/*"])

    told = await write(entry, f"pay with {secret}, twice: {secret}")

    assert MASKED in told and secret not in told
    assert await places(world, secret) == []


@pytest.mark.parametrize(("ready", "write", "field"), ENTRIES)
async def test_what_is_refused_changes_nothing_and_is_not_repeated(
    world: World, entry: Entry, ready: Ready, write: Write, field: str
):
    await ready(entry)
    await filter_with(entry.tenant, card("REFUSE"))
    before = await rows(world, entry.tenant)
    asks = len(entry.provider.asks)

    refused = await refusal(write(entry, TEXT))

    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "TEXT_REFUSED")
    assert refused.metadata == {"field": field, "filter": "card"}
    assert [name for name, _ in refused.fields] == [field]
    assert REASON in refused.message and CARD not in str((refused, refused.fields))
    assert await rows(world, entry.tenant) == before
    assert len(entry.provider.asks) == asks


async def test_a_filter_holds_on_every_replica_for_whatever_comes_after_it(
    world: World, here: Served, tenant: Tenant, provider: Provider
):
    async with world.replica() as other:
        there = tenant.on(other.runtime)
        for each in (tenant, there):
            turn = await each.start(TEXT)
            (await provider.asked()).answer("done")
            await each.ended(turn.id)
        await filter_with(tenant, card("REFUSE"))
        refused = [await refusal(each.start(TEXT)) for each in (tenant, there)]
        await filter_with(tenant, card("MASK"))
        await there.start(TEXT)
        masked = await provider.asked()
        masked.answer("done")
        await filter_with(tenant)
        await there.start(TEXT)
        bare = await provider.asked()
        bare.answer("done")

    assert [each.reason for each in refused] == ["TEXT_REFUSED"] * 2
    assert MASKED in masked.sent.decode() and CARD in bare.sent.decode()


async def test_filters_apply_in_their_order_and_where_policy_is_switched_off(
    tenant: Tenant, provider: Provider
):
    word = TextFilter(name="word", pattern="(?i)SECRET", action="TEXT_FILTER_ACTION_REFUSE")
    hidden = TextFilter(name="hidden", pattern="SECRET-\\d+", action="TEXT_FILTER_ACTION_MASK")
    await filter_with(tenant, hidden, word, disabled=True)

    await tenant.start("SECRET-7")
    ask = await provider.asked()
    ask.answer("done")
    refused = await refusal(tenant.start("SECRET-7 is secret"))

    assert "[hidden]" in ask.sent.decode()
    assert refused.metadata["filter"] == "word"


async def test_what_is_masked_must_still_fit_and_a_scope_is_never_masked(entry: Entry):
    await entry.pause("effects__transfer", '{"tag": "filtered"}')
    await filter_with(entry.tenant, card("MASK"))
    edited = said("edit", arguments=json.dumps({"tag": "x", "seconds": CARD}))
    scoped = said("approve_always", scope=json.dumps({"/tag": CARD}))

    unfit = await refusal(decide(entry.tenant, entry.approval, edited))
    scope = await refusal(decide(entry.tenant, entry.approval, scoped))
    await decide(entry.tenant, entry.approval, said("edit", FIRST, arguments='{"tag": "fits"}'))
    await answered(entry.tenant, entry.provider, entry.turn)

    assert (unfit.reason, unfit.fields[0][0]) == ("INVALID_ARGUMENT", "decisions[0].arguments")
    assert (scope.reason, scope.metadata["field"]) == ("TEXT_REFUSED", "decisions[0].scope")
    assert entry.tools.effects("fits") == 1


async def test_arguments_that_can_be_read_in_two_ways_pass_no_filter(entry: Entry, tenant: Tenant):
    await with_tools(entry)
    await filter_with(tenant, card("REFUSE"))
    twice = Invocation(tool="effects/echo", arguments=f'{{"a": "{CARD}", "a": "x"}}')

    refused = await refusal(
        tenant.runtime.turns.StartTurn(StartTurnRequest(call=twice), metadata=tenant.admin)
    )

    assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", "call.arguments")


async def test_the_same_request_is_the_same_as_its_filters_leave_it(
    tenant: Tenant, provider: Provider
):
    await filter_with(tenant, card("MASK"))

    first = await tenant.start(TEXT, request_id="one")
    (await provider.asked()).answer("done")
    again = await tenant.start(TEXT, request_id="one")
    other = await refusal(tenant.start("another text", request_id="one"))

    assert again.id == first.id
    assert other.reason == "IDEMPOTENCY_KEY_REUSED"


async def test_what_services_ask_the_planner_is_no_text_that_people_write(
    tenant: Tenant, provider: Provider
):
    await tenant.model(
        "planner", provider="openai", model="m", base_url=provider.url, role="planner"
    )
    await filter_with(tenant, card("REFUSE"))
    seeds = tenant.runtime.keys.seeds
    asker = Signer("embedding", seeds["embedding"])
    request = AskPlannerRequest(instructions="Summarize.", text=TEXT, max_output_tokens=9)

    asking = asyncio.ensure_future(
        CompletionServiceStub(tenant.runtime.channel).AskPlanner(
            request, metadata=asker.metadata_for(tenant.id, tenant.made.principal)
        )
    )
    ask = await provider.asked()
    ask.answer("done")

    assert (await asking).text == "done"
    assert CARD in ask.sent.decode()


async def test_the_audit_says_which_filters_held(
    world: World, tenant: Tenant, provider: Provider, tools: Tools
):
    await tools.offer(tenant)
    version = await filter_with(tenant, card("MASK"))
    turn = await tenant.start()
    (await provider.asked()).ask_for("effects__echo")
    await answered(tenant, provider, turn.id)
    rows = await world.superuser.fetch(
        "SELECT entry FROM audit_entries WHERE tenant::text = $1", tenant.id
    )
    entries = [json.loads(each["entry"]) for each in rows]

    [changed] = [each for each in entries if each["kind"] == "POLICY_CHANGED"]
    assert json.loads(changed["policy"])["text_filters"][0]["name"] == "card"
    assert {each["tenant_policy"] for each in entries if "tenant_policy" in each} == {version}


@pytest.mark.parametrize(
    ("filters", "field"),
    [
        pytest.param([("a", "(a")], "tenant.text_filters[0].pattern", id="none"),
        pytest.param([("a", "(?=b)a")], "tenant.text_filters[0].pattern", id="looks-ahead"),
        pytest.param([("a", "(a)\\1")], "tenant.text_filters[0].pattern", id="looks-back"),
        pytest.param([("a", "b*")], "tenant.text_filters[0].pattern", id="matches-nothing"),
        pytest.param([("a", "(a{100}){9}")], "tenant.text_filters[0].pattern", id="large"),
        pytest.param([("a", "a"), ("a", "b")], "tenant.text_filters[1].name", id="twice"),
        pytest.param([("A b", "a")], "tenant.text_filters[0].name", id="no-name"),
    ],
)
async def test_what_is_no_filter_is_refused_when_it_is_written(
    tenant: Tenant, filters: list[tuple[str, str]], field: str
):
    written = [
        TextFilter(name=name, pattern=pattern, action="TEXT_FILTER_ACTION_MASK")
        for name, pattern in filters
    ]

    refused = await refusal(filter_with(tenant, *written))

    assert (refused.reason, refused.fields[0][0]) == ("INVALID_ARGUMENT", field)


def test_no_pattern_backtracks():
    expression = compiled("(a+)+(a|aa)+b")

    assert expression.search("a" * 100_000) is None
