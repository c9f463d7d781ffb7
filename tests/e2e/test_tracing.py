"""One trace from the edge to the provider and the tool."""

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

from tests.doubles.effects_journal import Journal
from tests.doubles.otlp_server import OtlpServer
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge


async def test_one_trace_runs_through_every_service_the_provider_and_the_tool(
    edge: Edge,
    agent: MakeAgent,
    journal: Journal,
    collector: tuple[OtlpServer, str],
    models_log: Callable[[str], Awaitable[list[dict[str, Any]]]],
    tag: str,
):
    trace = uuid4().hex
    script = f'n=2+tool=effects__transfer+arg={{"tag":"{tag}"}}'
    name = await agent(script, tools=["effects/*"])
    body = {"agent": name, "input": "hello"}
    header = f"00-{trace}-b7ad6b7169203331-01"

    async with edge.stream("POST", "/turns:run", body, traceparent=header) as stream:
        events = [event async for event in stream.events()]
    server = collector[0]
    services = {"gateway", "gatekeeper", "agent-runtime", "tool-registry"}
    await server.wait_for(lambda _: services <= {span.service for span in server.trace(trace)})

    assert events[0].fields["trace_id"] == trace
    asked = await models_log(script)
    assert [entry["traceparent"].split("-")[1] for entry in asked] == [trace, trace]
    (call,) = [e for e in journal.entries("tools/call") if e.tag == tag]
    assert call.meta is not None
    assert call.meta["traceparent"].split("-")[1] == trace


async def test_embedding_is_in_the_trace_of_its_own_call(
    edge: Edge, collector: tuple[OtlpServer, str]
):
    trace = uuid4().hex

    await edge.call(
        "POST", "/embeddings", {"input": ["text"]}, traceparent=f"00-{trace}-b7ad6b7169203331-01"
    )

    server = collector[0]
    services = {"gateway", "embedding"}
    await server.wait_for(lambda _: services <= {span.service for span in server.trace(trace)})
