"""A tenant that uses its budget up, as it sees it over every interface, and what its bill says."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
import httpx
import openai
import pytest
from google.rpc.error_details_pb2 import ErrorInfo, QuotaFailure, RetryInfo
from grpc_status import rpc_status
from openai import AsyncOpenAI

from tests.channels import channel_to
from tests.doubles.processes import Double, running
from tests.e2e.edge import JSON, Edge, RefusedError
from tests.e2e.suite import Suite, until_it
from tests.e2e.test_setup import turnpike
from turnpike.api.agent_runtime.v1.turn_pb2 import Turn, TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    ContentPart,
    GetTurnRequest,
    StartTurnRequest,
)
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub

Metadata = tuple[tuple[str, str], ...]

WORDS = 20
# Micro-dollars for a token each, so that no cost is rounded.
INPUT, CACHED, OUTPUT = 4, 1, 10
PRICES = {
    name: price * 10**6
    for name, price in zip(("input", "cached", "output"), (INPUT, CACHED, OUTPUT), strict=True)
}
HELLO: Any = [{"role": "user", "content": "hello"}]


@dataclass(frozen=True)
class Tenant:
    """A tenant's admin, over every interface, and the model that it alone uses."""

    edge: Edge
    sdk: AsyncOpenAI
    turns: TurnServiceStub
    metadata: Metadata
    model: Double
    agent: str
    key: str

    async def budget(self, limit: int) -> None:
        """Lets so much be spent in a month."""
        await self.edge.call("PUT", "/budgets/tenant.month", {"limit_micro_usd": limit})

    async def spent(self) -> int:
        """Returns what a month's budget says was spent."""
        return (await self.edge.call("GET", "/budgets/tenant.month"))["spent_micro_usd"]

    async def usage(self, query: str = "") -> JSON:
        """Returns the report of this month."""
        return await self.edge.call("GET", f"/usage{query}")

    async def over_grpc(self) -> Turn:
        """Runs a turn, straight at agent-runtime, and returns it as it ended."""
        start = StartTurnRequest(agent=self.agent, input=[ContentPart(text="hello")])
        turn = (await self.turns.StartTurn(start, metadata=self.metadata)).turn

        async def ended() -> bool:
            nonlocal turn
            get = GetTurnRequest(turn=turn.id)
            turn = (await self.turns.GetTurn(get, metadata=self.metadata)).turn
            return turn.status >= TurnStatus.TURN_STATUS_COMPLETED

        await until_it(ended)
        return turn

    async def bill(self) -> JSON:
        """Returns what the model says it was asked for, priced."""
        async with httpx.AsyncClient() as client:
            stats = (await client.get(f"{self.model.origin}/stats")).json()["stats"]
        cached = stats.get("cached_tokens", 0)
        return {
            "entries": stats["chat"],
            "input_tokens": stats["prompt_tokens"],
            "cached_tokens": cached,
            "output_tokens": stats["deltas"],
            "cost_micro_usd": (stats["prompt_tokens"] - cached) * INPUT
            + cached * CACHED
            + stats["deltas"] * OUTPUT,
        }


@pytest.fixture
def own_model() -> Generator[Double]:
    """A model server that nobody else asks, so that its counters are this tenant's."""
    with running("model_server") as double:
        yield double


@pytest.fixture
async def tenant(
    suite: Suite, edge: Edge, own_model: Double, numbers: Iterator[int]
) -> AsyncGenerator[Tenant]:
    """A tenant with an agent, which nobody bounds yet."""
    name = f"spender-{next(numbers)}"
    key = (await edge.call("POST", "/tenants", {"name": name}))["key"]
    own = edge.with_key(key)
    agent = await own.agent(name, f"n={WORDS}", own_model.url)
    spec = {"provider": "openai", "model": f"n={WORDS}", "base_url": own_model.url}
    bounds = {"prices": PRICES, "limits": {"max_output": 2 * WORDS}}
    await own.call("PUT", f"/models/{name}", {**spec, **bounds})
    address = suite.of("agent-runtime")[0].address
    async with (
        channel_to(address) as channel,
        AsyncOpenAI(base_url=f"{suite.url}/v1", api_key=key, max_retries=0) as sdk,
    ):
        metadata = (("authorization", f"Bearer {key}"),)
        turns = TurnServiceStub(channel)
        yield Tenant(own, sdk, turns, metadata, own_model, agent, key)


async def use_up(tenant: Tenant) -> RefusedError:
    """Runs turns until one is refused, and returns how."""
    for _ in range(50):
        try:
            fold = await tenant.edge.run(tenant.agent)
        except RefusedError as refusal:
            return refusal
        assert fold.log[-1].fields["status"] == "COMPLETED"
    raise AssertionError("nothing was refused")


async def test_a_budget_that_is_used_up_refuses_alike_everywhere_until_it_is_raised(
    tenant: Tenant,
):
    await tenant.budget(2000)
    refusal = await use_up(tenant)

    assert (refusal.status, refusal.reason) == (402, "BUDGET_EXHAUSTED")
    assert refusal.headers["content-type"].startswith("application/problem+json")
    told = refusal.problem["metadata"]
    assert (told["budget"], told["period"], told["limit_micro_usd"]) == ("tenant", "month", "2000")
    assert int(refusal.headers["retry-after"]) > 0
    assert told["resets"].endswith("Z")
    refused = await tenant.edge.turn(told["turn"])
    assert (refused["status"], refused["error"]["reason"]) == ("REFUSED", "BUDGET_EXHAUSTED")
    await over_openai(tenant)
    await over_grpc(tenant)
    assert 0 < await tenant.spent() <= 2000
    await listed(tenant)

    await tenant.budget(1_000_000)

    fold = await tenant.edge.run(tenant.agent)
    assert fold.log[-1].fields["status"] == "COMPLETED"
    completion = await tenant.sdk.chat.completions.create(model=tenant.agent, messages=HELLO)
    assert completion.choices[0].finish_reason == "stop"
    assert (await tenant.over_grpc()).status == TurnStatus.TURN_STATUS_COMPLETED


async def over_openai(tenant: Tenant) -> None:
    """Uses up what is left, for an agent and for a model, in both of OpenAI's coats."""
    for model in (f"agent/{tenant.agent}", tenant.agent):
        for stream in (False, True):
            chat = partial(tenant.sdk.chat.completions.create, model=model, stream=stream)
            check_openai(await refusal_of(partial(chat, messages=HELLO)))
    responses = partial(tenant.sdk.responses.create, model=f"agent/{tenant.agent}")
    check_openai(await refusal_of(partial(responses, input="hello")))


async def refusal_of(ask: Callable[[], Awaitable[Any]]) -> openai.APIStatusError:
    for _ in range(50):
        try:
            answer = await ask()
            if isinstance(answer, openai.AsyncStream):
                async for _chunk in answer:
                    pass
        except openai.APIStatusError as refusal:
            return refusal
    raise AssertionError("nothing was refused")


def check_openai(refusal: openai.APIStatusError) -> None:
    assert refusal.response.status_code == 402
    assert refusal.code == "insufficient_quota"
    assert int(refusal.response.headers["retry-after"]) > 0
    # The SDK would wait as long as it is told, and ask again.
    assert refusal.response.headers["x-should-retry"] == "false"


async def over_grpc(tenant: Tenant) -> None:
    start = StartTurnRequest(agent=tenant.agent, input=[ContentPart(text="hello")])
    refused = await grpc_refusal_of(lambda: tenant.turns.StartTurn(start, metadata=tenant.metadata))

    status = rpc_status.from_call(refused)  # pyright: ignore[reportArgumentType]
    assert status is not None
    info, retry, quota = ErrorInfo(), RetryInfo(), QuotaFailure()
    unpacked = [each.Unpack(kind) for each in status.details for kind in (info, retry, quota)]
    assert sum(unpacked) == 3
    assert refused.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert (info.reason, info.domain) == ("BUDGET_EXHAUSTED", "gatekeeper.turnpike")
    assert retry.retry_delay.seconds > 0
    assert quota.violations[0].quota_value == 2000
    trailing = dict(refused.trailing_metadata() or ())
    assert trailing["grpc-retry-pushback-ms"] == "-1"


async def grpc_refusal_of(ask: Callable[[], Awaitable[Any]]) -> grpc.aio.AioRpcError:
    # What the last answer did not use of what was held for it may be enough for another.
    for _ in range(50):
        try:
            await ask()
        except grpc.aio.AioRpcError as refusal:
            return refusal
    raise AssertionError("nothing was refused")


async def listed(tenant: Tenant) -> None:
    """Waits until the seven refusals are written: of REST, five of OpenAI's client, of gRPC."""

    async def written() -> bool:
        refusals = (await tenant.edge.call("GET", "/refusals"))["refusals"]
        return [each["reason"] for each in refusals] == ["BUDGET_EXHAUSTED"] * 7

    await until_it(written)


async def test_what_the_model_was_asked_is_what_is_billed_everywhere(suite: Suite, tenant: Tenant):
    await tenant.budget(10**9)
    await asyncio.gather(*(tenant.edge.run(tenant.agent) for _ in range(4)))
    for model in (f"agent/{tenant.agent}", tenant.agent):
        await tenant.sdk.chat.completions.create(model=model, messages=HELLO)
    await tenant.over_grpc()
    bill = await tenant.bill()
    assert (bill["entries"], bill["output_tokens"]) == (7, 7 * WORDS)

    async def settled() -> bool:
        return (await tenant.usage())["total"]["entries"] == 7

    await until_it(settled)

    total = (await tenant.usage())["total"]
    rows = (await tenant.usage("?by=agent,model,day"))["rows"]
    entries = (await tenant.edge.call("GET", "/usage/entries"))["entries"]
    code, out, err = await turnpike(suite, "usage", "--by", "model", "--json", "--key", tenant.key)
    printed = [json.loads(line) for line in out.splitlines()]
    assert {name: total[name] for name in bill} == bill
    assert await tenant.spent() == bill["cost_micro_usd"]
    assert sum(row["sum"]["cost_micro_usd"] for row in rows) == bill["cost_micro_usd"]
    assert {row["agent"] for row in rows} == {tenant.agent, ""}
    assert sum(entry["cost_micro_usd"] for entry in entries) == bill["cost_micro_usd"]
    assert not any(entry["estimated"] or entry["default_priced"] for entry in entries)
    assert code == 0, err
    assert printed[-1]["total"] == total
    assert printed[0]["sum"]["cost_micro_usd"] == bill["cost_micro_usd"]
