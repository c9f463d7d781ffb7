"""What servers want of a person in the middle of a call: asked for, told, and never run twice."""

import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.agent_runtime.approvals.asking import (
    answered,
    decide,
    let_pass,
    refused,
    said,
    told,
    waiting,
)
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.provider import Provider
from tests.agent_runtime.turns.world import World, begin, cancel, kinds, watching
from tests.doubles.oauth_server import AuthorizationServer, serving_authorization
from tests.doubles.scripted_mcp import STATELESS, Called, Message, ScriptedServer, tool
from tests.doubles.scripted_mcp import said as result
from tests.tool_registry import serving as registries
from tests.tool_registry.signing import Person, guard
from turnpike.api.agent_runtime.v1 import thread_service_pb2
from turnpike.api.agent_runtime.v1.turn_pb2 import ToolOutcome, Turn, TurnStatus

SCHEMA = {
    "type": "object",
    "properties": {"seats": {"type": "integer", "minimum": 1}},
    "required": ["seats"],
}
FORM = {"mode": "form", "message": "How many?", "requestedSchema": SCHEMA}
LINK = "https://example.com/consent?secret=canary"
VISIT = {"mode": "url", "message": "Look here.", "url": LINK, "elicitationId": "e"}
KEY = "turnpike/idempotency-key"


@dataclass
class Desk:
    """A server whose one tool asks first, and what it was told each time it ran."""

    server: ScriptedServer
    place: str
    registry: registries.Registry
    questions: list[Message] = field(default_factory=lambda: [FORM])
    ran: list[Called] = field(default_factory=list[Called])
    heard: list[Any] = field(default_factory=list[Any])

    async def ask(self, called: Called) -> Message:
        """Asks on the call's stream, as servers with a handshake do."""
        self.ran.append(called)
        heard = [
            (await called.ask("elicitation/create", each))["result"] for each in self.questions
        ]
        self.heard = heard
        return result(json.dumps(heard))

    async def ask_in_rounds(self, called: Called) -> Message:
        """Asks by its result, one question a round, and keeps its state at the client's."""
        self.ran.append(called)
        given = called.params.get("inputResponses", {})
        self.heard += given.values()
        number = int(called.params.get("requestState", "0")) + bool(given)
        if number == len(self.questions):
            return result(json.dumps(self.heard))
        asked = {f"q{number}": {"method": "elicitation/create", "params": self.questions[number]}}
        return {
            "resultType": "input_required",
            "inputRequests": asked,
            "requestState": str(number),
        }

    async def offer(self, tenant: Tenant, **agent: Any) -> None:
        """Gives a tenant's agent the tool."""
        await registries.Tenant(self.registry, tenant.id).connect("desk", url=self.place)
        await tenant.agent(tools=["desk/*"], policy={"allow": ["*/*"]}, **agent)


@pytest.fixture
async def desk(registry: registries.Registry) -> AsyncGenerator[Desk]:
    """The server."""
    server = ScriptedServer([tool("work")])
    async with server.listening() as place:
        found = Desk(server, place, registry)
        server.answer = found.ask
        yield found


@pytest.fixture
async def issuer() -> AsyncGenerator[AuthorizationServer]:
    """Who gives out tokens."""
    async with serving_authorization() as serving_one:
        yield serving_one


async def pausing(tenant: Tenant, provider: Provider) -> Turn:
    """Returns a turn whose call waits for what its server wants."""
    turn, ask = await begin(tenant, provider)
    ask.ask_for("desk__work")
    return await waiting(tenant, turn.id)


async def next_pause(tenant: Tenant, turn: Turn) -> Turn:
    """Returns a turn once it waits for something else."""
    async with watching(tenant, turn.id, after=turn.seq) as reader:
        await reader.until(lambda each: "approval_required" in kinds(each.events))
    return await waiting(tenant, turn.id)


async def test_a_question_of_a_server_s_pauses_its_turn_and_the_answer_goes_to_it(
    world: World, tenant: Tenant, provider: Provider, desk: Desk
):
    await desk.offer(tenant)
    turn = await pausing(tenant, provider)
    (question,) = turn.approval.questions
    unfit = await refused(tenant, turn.approval.id, said("answer", arguments='{"0": {"seats": 0}}'))

    row = await world.row(turn.id)
    assert (row["status"], row["waiting_for"], row["owner"]) == ("WAITING", "approval", None)
    assert (question.id, question.text) == ("0", "How many?")
    assert json.loads(question.schema) == SCHEMA
    assert [field for field, _ in unfit.fields] == ["decisions[0].arguments.0"]
    await decide(tenant, turn.approval.id, said("answer", arguments='{"0": {"seats": 2}}'))
    ended, ask = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert desk.heard == [{"action": "accept", "content": {"seats": 2}}]
    assert json.loads(told(ask)[0]) == desk.heard
    # It was called anew, and told that it is the same call.
    assert len({called.meta[KEY] for called in desk.ran}) == 1


async def test_a_call_that_asks_in_rounds_pauses_for_each_and_keeps_its_state(
    tenant: Tenant, provider: Provider, desk: Desk
):
    desk.server.era, desk.server.answer = STATELESS, desk.ask_in_rounds
    desk.questions = [FORM, {**FORM, "message": "And how many more?"}]
    await desk.offer(tenant)
    turn = await pausing(tenant, provider)
    await decide(tenant, turn.approval.id, said("answer", text='{"seats": 1}'))
    turn = await next_pause(tenant, turn)

    assert [each.text for each in turn.approval.questions] == ["And how many more?"]
    await decide(tenant, turn.approval.id, said("answer", text='{"seats": 4}'))
    ended, _ = await answered(tenant, provider, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert [each["content"]["seats"] for each in desk.heard] == [1, 4]
    states = [called.params.get("requestState") for called in desk.ran]
    assert states == [None, "0", "1"]
    assert len({called.meta[KEY] for called in desk.ran}) == 1


async def test_a_server_is_told_that_a_person_declined_and_says_what_comes_of_it(
    tenant: Tenant, provider: Provider, desk: Desk
):
    await desk.offer(tenant)
    turn = await pausing(tenant, provider)
    await decide(tenant, turn.approval.id, said("reject", feedback="ask the owner"))
    ended, ask = await answered(tenant, provider, turn.id)

    assert desk.heard == [{"action": "decline"}]
    assert ToolOutcome.Name(ended.calls[0].outcome) == "TOOL_OUTCOME_OK"
    assert "ask the owner" in told(ask)[0]
    assert '"action": "decline"' in told(ask)[0]


async def test_a_server_that_nobody_answers_in_time_is_told_so_once(
    world: World, tenant: Tenant, provider: Provider, desk: Desk
):
    desk.server.era, desk.server.answer = STATELESS, desk.ask_in_rounds
    desk.questions = [FORM, FORM]
    await desk.offer(tenant, approvals={"on_expiry": "EXPIRY_ACTION_REJECT"})
    turn = await pausing(tenant, provider)
    await let_pass(world, turn.id, 25)
    ended, ask = await answered(tenant, provider, turn.id)

    # It asks something else then; that is not asked of anybody.
    assert desk.heard == [{"action": "cancel"}]
    assert ended.status == TurnStatus.TURN_STATUS_COMPLETED
    assert ToolOutcome.Name(ended.calls[0].outcome) == "TOOL_OUTCOME_ERROR"
    assert "Nobody answered in time" in told(ask)[0]


async def test_a_turn_that_is_cancelled_calls_its_server_no_more(
    tenant: Tenant, provider: Provider, desk: Desk
):
    await desk.offer(tenant)
    turn = await pausing(tenant, provider)
    ended = await cancel(tenant, turn.id)

    assert ended.status == TurnStatus.TURN_STATUS_CANCELLED
    assert len(desk.ran) == 1
    late = await refused(tenant, turn.approval.id, said("reject"))
    assert (late.reason, late.metadata["status"]) == ("APPROVAL_CLOSED", "CANCELLED")


async def test_a_link_is_replayed_to_who_comes_back_and_is_in_no_message(
    tenant: Tenant, provider: Provider, desk: Desk
):
    desk.questions = [VISIT]
    await desk.offer(tenant)
    turn = await pausing(tenant, provider)
    for _ in range(2):
        async with watching(tenant, turn.id) as reader:
            await reader.until(lambda each: "approval_required" in kinds(each.events))
        (question,) = reader.events[-1].approval_required.questions
        assert question.url == LINK
    await decide(tenant, turn.approval.id, said("answer"))
    await answered(tenant, provider, turn.id)

    assert desk.heard == [{"action": "accept"}]
    assert "canary" not in await _stored(tenant, turn)


async def test_a_turn_goes_on_by_itself_once_its_requester_has_signed_in(
    tenant: Tenant, provider: Provider, desk: Desk, issuer: AuthorizationServer
):
    desk.questions = []
    await desk.offer(tenant)
    owner = registries.Tenant(desk.registry, tenant.id)
    shown = await owner.tools()
    assert "desk/work" in shown
    guard(desk.server, issuer, desk.place)
    turn = await pausing(tenant, provider)
    (question,) = turn.approval.questions
    # Whoever else signs in does not help.
    await Person(owner, "11111111-1111-4111-8111-111111111111").sign_in(
        issuer, "desk", shared=False
    )
    async with watching(tenant, turn.id, after=turn.seq) as reader:
        assert (await tenant.turn(turn.id)).waiting_for == "approval"
        await Person(owner, tenant.made.principal).sign_in(issuer, "desk", shared=False)
        ask = await provider.asked()
        ask.answer("done")
        events = await reader.ends()

    assert (question.header, question.url) == ("sign in", "/api/v1/connectors/desk:login")
    (decided,) = [each.approval_decided for each in events if each.HasField("approval_decided")]
    assert (decided.decided_by, decided.complete) == ("", True)
    assert len(desk.ran) == 1
    assert ":login" not in await _stored(tenant, turn)


async def _stored(tenant: Tenant, turn: Turn) -> str:
    request = thread_service_pb2.ListMessagesRequest(thread=turn.thread)
    page = await tenant.runtime.threads.ListMessages(request, metadata=tenant.admin)
    return str(page.messages)
