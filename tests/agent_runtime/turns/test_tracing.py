"""The spans of a turn, of its steps and of its calls, on whatever replica they are made."""

from collections.abc import Generator
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Ask, Provider
from tests.agent_runtime.turns.tools import Tools
from tests.agent_runtime.turns.world import World
from tests.waiting import until
from turnpike.api.agent_runtime.v1 import turn_service_pb2 as pb
from turnpike.telemetry.tracing import (
    Attributes,
    Kind,
    TraceContext,
    Value,
    record_with,
    stop_recording,
)


@dataclass
class Recorded:
    """A span, as it was made."""

    name: str
    kind: Kind
    parent: TraceContext | None
    context: TraceContext
    attributes: dict[str, Value]
    failed: str = ""
    ended: bool = False

    def set(self, name: str, value: Value) -> None:
        self.attributes[name] = value

    def fail(self, description: str) -> None:
        self.failed = description

    def end(self) -> None:
        self.ended = True


@dataclass
class Recorder:
    """Keeps every span of this process."""

    spans: list[Recorded] = field(default_factory=list[Recorded])

    def start(
        self, name: str, kind: Kind, attributes: Attributes | None, parent: TraceContext | None
    ) -> Recorded:
        trace = parent.trace_id if parent else uuid4().hex
        context = TraceContext(trace, uuid4().hex[:16], sampled=True)
        span = Recorded(name, kind, parent, context, dict(attributes or {}))
        self.spans.append(span)
        return span

    def close(self) -> None:
        return

    def of(self, trace: str, operation: str) -> list[Recorded]:
        """Returns a trace's spans of a GenAI operation, in order."""
        return [
            span
            for span in self.spans
            if span.context.trace_id == trace
            and span.attributes.get("gen_ai.operation.name") == operation
        ]


@pytest.fixture
def recorder() -> Generator[Recorder]:
    """Records the spans of everything in this process."""
    recorder = Recorder()
    record_with(recorder)
    yield recorder
    stop_recording()


async def start(tenant: Tenant, trace: str) -> str:
    """Starts a turn in a trace of the caller's; returns its id."""
    request = pb.StartTurnRequest(agent="agent", input=[pb.ContentPart(text="hello")])
    header = ("traceparent", f"00-{trace}-b7ad6b7169203331-01")
    response = await tenant.runtime.turns.StartTurn(request, metadata=(*tenant.admin, header))
    return response.turn.id


def span_id(ask: Ask) -> str:
    return ask.traceparent.split("-")[2]


async def test_a_turn_its_steps_and_its_calls_are_spans_of_the_callers_trace(
    tenant: Tenant, provider: Provider, tools: Tools, recorder: Recorder
):
    await tools.offer(tenant)
    trace = uuid4().hex
    turn = await start(tenant, trace)
    asks = [await provider.asked()]
    asks[0].call("effects__echo")
    asks[0].end(tokens=(70, 7), reason="tool_calls")
    asks.append(await provider.asked())
    asks[1].answer("done")
    await tenant.ended(turn)
    await until(lambda: all(each.ended for each in recorder.of(trace, "invoke_agent")))

    (whole,) = recorder.of(trace, "invoke_agent")
    chats = recorder.of(trace, "chat")
    # The registry, which runs in this process too, has one of its own below it.
    call = recorder.of(trace, "execute_tool")[0]
    assert whole.attributes["turnpike.turn"] == turn
    assert [each.parent for each in (*chats, call)] == [whole.context] * 3
    assert [span_id(ask) for ask in asks] == [each.context.span_id for each in chats]
    assert chats[0].attributes["gen_ai.request.model"] == "m"
    assert chats[0].attributes["gen_ai.usage.input_tokens"] == 70
    assert chats[0].attributes["gen_ai.usage.output_tokens"] == 7
    assert call.attributes["gen_ai.tool.name"] == "effects/echo"
    assert all(each.ended and not each.failed for each in (*chats, call))


async def test_the_server_of_a_tool_is_called_in_the_same_trace(
    tenant: Tenant, provider: Provider, tools: Tools, recorder: Recorder
):
    await tools.offer(tenant)
    trace = uuid4().hex
    turn = await start(tenant, trace)
    (await provider.asked()).ask_for("effects__echo")
    (await provider.asked()).answer("done")
    await tenant.ended(turn)

    (entry,) = tools.protocol.journal.entries("tools/call")
    assert entry.meta is not None
    assert entry.meta["traceparent"].split("-")[1] == trace


async def test_whoever_takes_over_goes_on_in_the_same_trace(
    world: World, tenant: Tenant, provider: Provider, recorder: Recorder
):
    trace = uuid4().hex
    turn = await start(tenant, trace)
    await provider.asked()
    await world.superuser.execute(
        "UPDATE turns SET owner = NULL, due_at = statement_timestamp() WHERE id = $1", UUID(turn)
    )
    again = await provider.asked()
    again.answer("done")
    await tenant.ended(turn)

    fences = [each.attributes["turnpike.fence"] for each in recorder.of(trace, "invoke_agent")]
    assert fences == [1, 2]
    assert span_id(again) == recorder.of(trace, "chat")[-1].context.span_id


async def test_a_step_that_fails_is_a_span_that_failed(
    tenant: Tenant, provider: Provider, recorder: Recorder
):
    trace = uuid4().hex
    turn = await start(tenant, trace)
    (await provider.asked()).refuse(400)
    await tenant.ended(turn)

    assert [each.failed for each in recorder.of(trace, "chat")] == ["TurnFailedError"]
