"""The same turns over gRPC, straight to the services."""

from collections.abc import AsyncGenerator

import grpc
import pytest
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from tests.channels import channel_to
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import Edge
from tests.e2e.suite import Suite, serves, until_it
from turnpike.api.agent_runtime.v1.event_pb2 import Event
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import (
    CancelTurnRequest,
    ContentPart,
    GetTurnRequest,
    ListTurnsRequest,
    StartTurnRequest,
    WatchTurnRequest,
)
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub

Metadata = tuple[tuple[str, str], ...]


@pytest.fixture
async def turns(suite: Suite) -> AsyncGenerator[list[TurnServiceStub]]:
    """Both replicas of the runtime."""
    addresses = [process.address for process in suite.of("agent-runtime")]
    channels = [channel_to(address) for address in addresses]
    yield [TurnServiceStub(channel) for channel in channels]
    for channel in channels:
        await channel.close()


async def watch(stub: TurnServiceStub, turn: str, metadata: Metadata) -> list[Event]:
    stream = stub.WatchTurn(WatchTurnRequest(turn=turn), metadata=metadata)
    return [event async for response in stream for event in response.events]


def status_of(error: grpc.aio.AioRpcError) -> Status:
    status = rpc_status.from_call(error)  # pyright: ignore[reportArgumentType]
    assert status is not None
    return status


async def test_a_turn_is_seen_alike_on_both_replicas(
    turns: list[TurnServiceStub], agent: MakeAgent, admin: Metadata, edge: Edge
):
    request = StartTurnRequest(agent=await agent("n=20+us=2000"), input=[ContentPart(text="hi")])
    started = (await turns[0].StartTurn(request, metadata=admin)).turn

    first, second = [await watch(stub, started.id, admin) for stub in turns]

    turn = (await turns[1].GetTurn(GetTurnRequest(turn=started.id), metadata=admin)).turn
    assert first == second
    assert [event.seq for event in first] == list(range(1, len(first) + 1))
    assert turn.status == TurnStatus.TURN_STATUS_COMPLETED
    assert (await edge.read(started.id)).answer == turn.text


async def test_a_turn_is_cancelled_through_the_other_replica(
    turns: list[TurnServiceStub], agent: MakeAgent, admin: Metadata, edge: Edge, suite: Suite
):
    turn = await edge.start(await agent("n=4000+us=10000"))
    await edge.read(turn["id"], until=5)
    owner = (await edge.turn(turn["id"]))["owner"]
    names = [process.name for process in suite.of("agent-runtime")]
    other = turns[1 - names.index(owner)]

    reply = await other.CancelTurn(CancelTurnRequest(turn=turn["id"]), metadata=admin)

    assert reply.turn.status == TurnStatus.TURN_STATUS_CANCELLED
    assert reply.turn.text.startswith("~0 ")


async def test_turns_are_listed_by_status(
    turns: list[TurnServiceStub], agent: MakeAgent, admin: Metadata, edge: Edge
):
    name = await agent("n=1")
    fold = await edge.run(name)
    request = ListTurnsRequest(agent=name, statuses=[TurnStatus.TURN_STATUS_COMPLETED])

    listed = (await turns[0].ListTurns(request, metadata=admin)).turns

    assert [turn.id for turn in listed] == [fold.log[0].fields["turn"]]


async def test_an_error_says_why_for_machines(turns: list[TurnServiceStub], admin: Metadata):
    request = GetTurnRequest(turn="00000000-0000-4000-8000-000000000000")

    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await turns[0].GetTurn(request, metadata=admin)

    info = ErrorInfo()
    assert refusal.value.code() is grpc.StatusCode.NOT_FOUND
    assert any(detail.Unpack(info) for detail in status_of(refusal.value).details)
    assert info.reason == "NOT_FOUND"


async def test_a_call_without_a_credential_is_refused(turns: list[TurnServiceStub]):
    with pytest.raises(grpc.aio.AioRpcError) as refusal:
        await turns[0].ListTurns(ListTurnsRequest())

    assert refusal.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_every_service_says_that_it_serves(suite: Suite):
    for process in suite.processes:
        # Each answer has a second, which a process may stand still for.
        await until_it(lambda process=process: serves(process))
