"""Threads' ledgers: what keeps their bytes, and what starts an epoch."""

from collections.abc import Awaitable, Callable
from itertools import pairwise

import grpc
import orjson
import pytest

from tests.agent_runtime.prefix.conversing import say
from tests.agent_runtime.prefix.ledgers import Ledgers, is_one_prefix
from tests.agent_runtime.serving import Runtime, Tenant
from tests.agent_runtime.turns.tools import Tools
from tests.doubles.model_server import ModelServer
from tests.waiting import until
from turnpike.agent_runtime.prefix.sweeping import sweep
from turnpike.agent_runtime.settings import Settings
from turnpike.api.agent_runtime.v1 import prefix_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import Limits
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import PrefixServiceStub
from turnpike.api.agent_runtime.v1.turn_service_pb2 import CancelTurnRequest
from turnpike.database.engine import open_engine
from turnpike.telemetry.metrics import REGISTRY

SELF_HOSTED = "hosted_vllm"
INSTRUCTIONS = "Be brief. It is {{current_datetime}}."


@pytest.fixture
async def agent(tenant: Tenant, provider_url: str) -> Tenant:
    """A tenant with an agent whose instructions tell the time."""
    await tenant.model(provider="openai", base_url=provider_url, model="n=3")
    await tenant.agent(instructions=INSTRUCTIONS)
    return tenant


async def last_miss(ledgers: Ledgers, thread: str) -> str:
    return str((await ledgers.boundaries(thread))[-1].get("miss", ""))


async def test_instructions_that_tell_the_time_stay_and_later_turns_are_told_theirs(
    agent: Tenant, provider: ModelServer, ledgers: Ledgers
):
    thread = (await say(agent, "one")).thread
    await say(agent, "two", thread)

    assert is_one_prefix(list(provider.sent))
    assert (await ledgers.row(thread))["epoch"] == 1
    system, *_, last = orjson.loads(provider.sent[-1])["messages"]
    assert "{{" not in system["content"]
    # The same second may be told, or a later one: then it stands before what was said.
    assert last["content"] == "two" or last["content"].startswith("[current_datetime: ")


async def test_row_50_new_tools_start_an_epoch_and_earlier_messages_stay(
    agent: Tenant, tools: Tools, provider: ModelServer, ledgers: Ledgers
):
    thread = (await say(agent, "one")).thread
    await tools.offer(agent, instructions=INSTRUCTIONS)
    await say(agent, "two", thread)
    await say(agent, "three", thread)

    row = await ledgers.row(thread)
    assert row["epoch"] == 2
    misses = [each.get("miss", "") for each in await ledgers.boundaries(thread)]
    assert misses == ["NEW_SESSION", "EPOCH_TOOLS", ""]
    assert is_one_prefix(list(provider.sent)[1:])
    # What had been said is said again byte for byte, after the tools.
    before, after = (sent.partition(b'"messages":')[2] for sent in list(provider.sent)[:2])
    assert after.startswith(before[: before.rindex(b"]")])


async def test_other_instructions_start_an_epoch(
    agent: Tenant, provider: ModelServer, ledgers: Ledgers
):
    thread = (await say(agent, "one")).thread
    await agent.agent(instructions="Be verbose.")
    await say(agent, "two", thread)

    row = await ledgers.row(thread)
    assert (row["epoch"], row["last_miss"]) == (2, "EPOCH_PROMPT")


async def test_another_model_starts_an_epoch(
    agent: Tenant, provider_url: str, ledgers: Ledgers, provider: ModelServer
):
    thread = (await say(agent, "one")).thread
    await agent.model("other", provider="openai", base_url=provider_url, model="n=3")
    await agent.agent(instructions=INSTRUCTIONS, model="other")
    await say(agent, "two", thread)

    row = await ledgers.row(thread)
    assert (row["epoch"], row["last_miss"], row["model"]) == (2, "EPOCH_MODEL", "other")
    assert is_one_prefix(list(provider.sent))


async def test_row_51_after_a_day_the_bytes_are_the_same_and_the_cache_is_expected_cold(
    agent: Tenant, provider: ModelServer, ledgers: Ledgers
):
    thread = (await say(agent, "one")).thread
    await ledgers.age(thread, hours=24)

    await say(agent, "two", thread)

    assert is_one_prefix(list(provider.sent))
    row = await ledgers.row(thread)
    assert (row["epoch"], row["last_miss"], row["last_predicted"]) == (1, "TTL_EXPIRED", 0)


async def test_row_53_what_is_evicted_is_made_again_byte_for_byte(
    agent: Tenant,
    tools: Tools,
    provider: ModelServer,
    provider_url: str,
    ledgers: Ledgers,
    settings: Settings,
):
    await agent.model(
        provider="openai", base_url=provider_url, model='n=2+tool=effects__echo+arg={"n" : 1.50}'
    )
    await tools.offer(agent, instructions=INSTRUCTIONS)
    old = (await say(agent, "one")).thread
    await say(agent, "two", old)
    active = (await say(agent, "another")).thread
    held = await ledgers.elements(old)
    await ledgers.age(old, hours=1)

    async with open_engine(settings.system_database_url.get_secret_value()) as engine:
        # A bound of nothing: all goes that nobody uses just now.
        assert await sweep(engine, 0) >= 1

    assert (await ledgers.row(old))["evicted"] and not (await ledgers.row(active))["evicted"]
    assert await ledgers.elements(old) == []
    assert await ledgers.elements(active)
    sent = len(provider.sent)
    await say(agent, "three", old)
    row = await ledgers.row(old)
    assert (row["epoch"], row["evicted"]) == (1, False)
    assert (await ledgers.elements(old))[: len(held)] == held
    assert is_one_prefix([*list(provider.sent)[:4], *list(provider.sent)[sent:]])


async def test_a_cancelled_answer_is_part_of_what_is_sent_next(
    agent: Tenant, provider: ModelServer, provider_url: str, ledgers: Ledgers
):
    await agent.model(provider="openai", base_url=provider_url, model="n=50+hang=2+once=1")
    turn = await agent.start("one")

    async def has_said_all() -> bool:
        return (await agent.turn(turn.id)).text == "~0 ~1 "

    await until(has_said_all)
    await agent.runtime.turns.CancelTurn(CancelTurnRequest(turn=turn.id), metadata=agent.admin)
    await say(agent, "two", turn.thread)

    assert is_one_prefix(list(provider.sent))
    assert b'{"role":"assistant","content":"~0 ~1 "}' in provider.sent[-1]
    assert (await ledgers.row(turn.thread))["epoch"] == 1


async def test_each_model_call_is_measured(agent: Tenant, provider: ModelServer):
    spoken = await say(agent, "one")
    again = await say(agent, "two", spoken.thread)

    gauges = [
        event.context_measured
        for event in (*spoken.events, *again.events)
        if event.HasField("context_measured")
    ]
    assert [gauge.tokens for gauge in gauges] == [each.tokens for each in provider.prompts]
    assert [gauge.cached_tokens for gauge in gauges] == [each.cached for each in provider.prompts]
    assert [gauge.miss for gauge in gauges] == ["NEW_SESSION", ""]
    assert not any(gauge.reckoned for gauge in gauges)


async def test_row_56_a_long_thread_is_compacted_now_and_then_and_says_so(
    agent: Tenant, provider: ModelServer, provider_url: str, ledgers: Ledgers
):
    window, turns = 2000, 16
    limits = Limits(context_window=window)
    await agent.model(provider="openai", base_url=provider_url, model="n=3", limits=limits)
    thread, compacted = "", list[int]()

    for number in range(turns):
        spoken = await say(agent, f"turn-{number} " + "x" * 800, thread)
        thread = spoken.thread
        if found := [e.context_compacted for e in spoken.events if e.HasField("context_compacted")]:
            compacted.append(number)
            # What it expects the next one to be is above the mark, not the last one yet.
            assert found[0].tokens >= 0.7 * window
            assert found[0].turns > 1

    prompts, sent = list(provider.prompts), list(provider.sent)
    assert max(prompt.tokens for prompt in prompts) <= window
    # With hysteresis: between two there is room for several turns.
    assert compacted and all(later - earlier >= 4 for earlier, later in pairwise(compacted))
    # It is the only divergence.
    for begin, end in pairwise([0, *compacted, turns]):
        assert is_one_prefix(sent[begin:end])
    misses = [each.get("miss", "") for each in await ledgers.boundaries(thread)]
    assert misses == [
        "NEW_SESSION" if n == 0 else "EPOCH_COMPACTION" if n in compacted else ""
        for n in range(turns)
    ]
    assert (await ledgers.row(thread))["epoch"] == 1 + len(compacted)
    # What is left out is told in short, and is there still when the ledger is evicted.
    shrunk = sent[compacted[0]]
    assert b"turn-0 x" in shrunk and b"turn-0 " + b"x" * 300 not in shrunk
    await ledgers.forget(thread)
    await say(agent, "go on", thread)
    assert is_one_prefix(list(provider.sent)[-2:])


async def test_row_52_two_tenants_with_one_opening_share_no_key_and_no_ledger(
    agent: Tenant,
    new_tenant: Callable[[], Awaitable[Tenant]],
    provider: ModelServer,
    provider_url: str,
    ledgers: Ledgers,
):
    other = await new_tenant()
    await other.model(provider="openai", base_url=provider_url, model="n=3")
    await other.agent(instructions="Be brief.")
    await agent.agent(instructions="Be brief.")

    ours = (await say(agent, "hello" + "x" * 400)).thread
    await say(agent, "a canary of ours", ours)
    theirs = (await say(other, "hello" + "x" * 400)).thread
    await say(other, "something else", theirs)

    sent = [orjson.loads(body) for body in provider.sent]
    assert sent[0]["messages"] == sent[2]["messages"]
    keys = [body["prompt_cache_key"] for body in sent]
    assert keys[0] == keys[1] != keys[2] == keys[3]
    assert provider.prompts[2].cached == 0 < provider.prompts[1].cached
    assert not any("canary" in str(body["messages"]) for body in sent[2:])
    assert await ledgers.sessions_of(agent.id) == [ours]
    assert await ledgers.sessions_of(other.id) == [theirs]


async def test_row_54_admins_see_what_was_predicted_and_reported(
    agent: Tenant, runtime: Runtime, provider: ModelServer
):
    threads = [(await say(agent, "one")).thread for _ in range(3)]
    await say(agent, "two", threads[0])
    stub = PrefixServiceStub(runtime.channel)

    first = await stub.ListPrefixSessions(
        pb.ListPrefixSessionsRequest(page_size=2), metadata=agent.admin
    )
    rest = await stub.ListPrefixSessions(
        pb.ListPrefixSessionsRequest(page_size=2, page_token=first.next_page_token),
        metadata=agent.admin,
    )

    listed = [*first.sessions, *rest.sessions]
    assert [each.thread for each in listed] == [threads[0], threads[2], threads[1]]
    assert rest.next_page_token == ""
    newest = listed[0]
    prompts = list(provider.prompts)
    assert newest.context_tokens == prompts[-1].tokens
    assert newest.cached_tokens == prompts[-1].cached
    # The bytes of a block that was not full are no hit; they were predicted all the same.
    assert 0 <= newest.predicted_tokens - newest.cached_tokens < 8
    assert [each.miss for each in newest.boundaries] == ["NEW_SESSION", ""]
    assert (newest.epoch, newest.revision, newest.length) == (1, 2, 6)
    one = await stub.ListPrefixSessions(
        pb.ListPrefixSessionsRequest(thread=threads[1]), metadata=agent.admin
    )
    assert [each.thread for each in one.sessions] == [threads[1]]


async def test_row_54_the_counters_are_what_the_provider_said(agent: Tenant, provider: ModelServer):
    def counted(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(f"turnpike_{name}", labels) or 0.0

    def all_counted() -> list[float]:
        tokens = ("prompt", "predicted", "cached")
        return [
            *(counted(f"prefix_{each}_tokens_total", provider=SELF_HOSTED) for each in tokens),
            counted("prefix_context_tokens_sum", provider=SELF_HOSTED),
            counted("model_first_delta_seconds_count", provider=SELF_HOSTED),
            counted("prefix_requests_total", provider=SELF_HOSTED, miss="NONE"),
            counted("turn_first_delta_seconds_count"),
            counted("prefix_breaches_total"),
        ]

    before = all_counted()
    thread = ""
    for number in range(5):
        thread = (await say(agent, f"{number}" + "x" * 2000, thread)).thread

    prompts = list(provider.prompts)
    tokens, predicted, cached, context, deltas, hits, firsts, breaches = [
        now - then for now, then in zip(all_counted(), before, strict=True)
    ]
    assert tokens == context == sum(prompt.tokens for prompt in prompts)
    assert cached == sum(prompt.cached for prompt in prompts)
    assert cached == pytest.approx(predicted, rel=0.01)
    assert (deltas, hits, firsts, breaches) == (5, 4, 5, 0)


async def test_a_ledger_that_is_not_what_its_hash_says_is_left(
    agent: Tenant, provider: ModelServer, ledgers: Ledgers
):
    thread = (await say(agent, "one")).thread
    await ledgers.tamper(thread, b'{"role":"user","content":"two"}')
    breaches = REGISTRY.get_sample_value("turnpike_prefix_breaches_total") or 0.0

    await say(agent, "three", thread)

    assert REGISTRY.get_sample_value("turnpike_prefix_breaches_total") == breaches + 1
    # What is sent is what was said.
    assert is_one_prefix(list(provider.sent))
    row = await ledgers.row(thread)
    assert (row["epoch"], row["last_miss"]) == (2, "DIVERGENCE")
    assert b"two" not in b"".join(await ledgers.elements(thread))


async def test_members_do_not_see_the_ledger(agent: Tenant, runtime: Runtime):
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await PrefixServiceStub(runtime.channel).ListPrefixSessions(
            pb.ListPrefixSessionsRequest(), metadata=agent.somebody()
        )

    assert refused.value.code() is grpc.StatusCode.PERMISSION_DENIED
