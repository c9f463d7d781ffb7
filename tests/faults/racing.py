"""Decisions that come at once: the moment the event is seen, and fifty for one approval."""

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from urllib.parse import urlsplit

import grpc

from tests.channels import channel_to
from tests.e2e.edge import Edge
from tests.faults.deciding import ASKS, FIRST, Line, begun, effects_by_turn, said
from tests.faults.outcome import Outcome
from tests.faults.stage import Stage
from turnpike.api.agent_runtime.v1.approval_pb2 import Approval, Decision
from turnpike.api.agent_runtime.v1.approval_service_pb2 import DecideRequest
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.rpc.errors import RemoteError, from_rpc_error

# Seconds from the event to the decision.
SOON = 0.001
FIFTY = 50


async def at_once(stage: Stage, turns: int) -> Outcome:
    """Decides approvals the moment their event is seen, by another gateway.

    Goes on until so many decisions were sent within a millisecond of it: how soon this process is
    run is the machine's affair. Those that were sent later count as well.
    """
    script = 'n=2+tool=effects__transfer+arg={"tag":"at-once"}'
    agent = await stage.edges[0].agent("at-once", script, stage.model.url, **ASKS)
    reader, other = stage.edges[0], stage.edges[1]
    within, latest, outcome = 0, 0.0, Outcome()
    ended: list[str] = []
    async with Line.to(urlsplit(other.url), stage.suite.key) as line:
        while within < turns:
            turn, lag, status = await _decided_at_once(reader, line, agent)
            within += lag <= SOON
            latest = max(latest, lag)
            ended.append(turn)
            if status != 200:
                outcome.faults.append(f"the decision on {turn} was answered {status}")
    refused = len(outcome.faults)
    ran = effects_by_turn(stage)
    outcome.faults += [f"{turn} ran {ran[turn]} times" for turn in ended if ran[turn] != 1]
    outcome.figures = {
        "decisions": len(ended),
        "accepted": len(ended) - refused,
        "sent within 1 ms": within,
        "latest": f"{latest * 1000:.2f} ms",
    }
    return outcome


async def _decided_at_once(edge: Edge, line: Line, agent: str) -> tuple[str, float, int]:
    turn, lag, status = "", 0.0, 0
    async with edge.stream("POST", "/turns:run", {"agent": agent, "input": "go"}) as stream:
        async for event in stream.events():
            if event.type == "approval.required":
                seen = time.perf_counter()
                line.send(event.fields["approval"], said("approve"))
                lag, turn = time.perf_counter() - seen, event.fields["turn"]
                status = await line.status()
    return turn, lag, status


async def fifty(stage: Stage, races: int) -> Outcome:
    """Has fifty decide one approval at once, on every replica, so many times."""
    script = 'n=2+tool=effects__transfer+arg={"tag":"fifty"}'
    agent = await stage.edges[0].agent("fifty", script, stage.model.url, **ASKS)
    other = await _other_admin(stage.edges[0])
    outcome, ended, told = Outcome(), list[str](), 0
    async with AsyncExitStack() as stack:
        places = [
            ApprovalServiceStub(await stack.enter_async_context(channel_to(each.address)))
            for each in stage.suite.of("agent-runtime")
        ]
        for _ in range(races):
            turn, asked = await begun(stage.edges[0], agent)
            came = await asyncio.gather(
                *(
                    _persistently(
                        places[number % len(places)],
                        (stage.suite.key, other)[number % 2],
                        asked["approval"],
                        f"race-{number}",
                    )
                    for number in range(FIFTY)
                )
            )
            faults = _faults_of_race(came)
            told += sum(isinstance(each, RemoteError) for each in came)
            outcome.faults += [f"{turn['id']}: {fault}" for fault in faults]
            fold = await stage.edges[0].read(turn["id"])
            if fold.status != "COMPLETED" or len(fold.of("approval.decided")) != 1:
                outcome.faults.append(f"{turn['id']} is {fold.status}")
            ended.append(turn["id"])
    ran = effects_by_turn(stage)
    outcome.faults += [f"{turn} ran {ran[turn]} times" for turn in ended if ran[turn] != 1]
    outcome.figures = {"races": races, "replicas": len(places), "told who and when": told}
    return outcome


async def _other_admin(edge: Edge) -> str:
    """Returns the key of another admin of the first tenant."""
    made = await edge.call("POST", "/keys", {"name": "another", "role": "ADMIN"})
    return made["key"]


async def _persistently(
    place: ApprovalServiceStub, key: str, approval: str, request_id: str
) -> Approval | RemoteError:
    """Decides; a database that is too busy to answer is asked again, by the same request."""
    decision = Decision(call_id=FIRST, kind="DECISION_KIND_APPROVE")
    request = DecideRequest(approval=approval, decisions=[decision], request_id=request_id)
    while True:
        try:
            metadata = (("authorization", f"Bearer {key}"),)
            return (await place.Decide(request, metadata=metadata)).approval
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                return from_rpc_error(error)


def _faults_of_race(came: list[Approval | RemoteError]) -> list[str]:
    won = [each for each in came if isinstance(each, Approval)]
    if len(won) != 1:
        return [f"{len(won)} won"]
    at = won[0].decide_time.ToDatetime().isoformat(timespec="microseconds")
    told = Counter(
        (each.reason, each.metadata.get("decided_by"), each.metadata.get("decided_at", "")[:26])
        for each in came
        if isinstance(each, RemoteError)
    )
    whose = {("APPROVAL_DECIDED", won[0].decided_by, at): FIFTY - 1}
    return [] if told == whose else [f"the others learnt {dict(told)}, not {whose}"]
