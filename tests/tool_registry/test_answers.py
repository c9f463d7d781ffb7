"""Calls that wait for a person, and go on with what that person gives."""

import asyncio
import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.doubles.scripted_mcp import STATELESS, Called, ScriptedServer, said, tool
from tests.tool_registry.serving import Registry, Tenant, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2

ACCEPT = calls_pb.ANSWER_ACTION_ACCEPT
DECLINE = calls_pb.ANSWER_ACTION_DECLINE
SCHEMA = {
    "type": "object",
    "properties": {"seats": {"type": "integer"}},
    "required": ["seats"],
}
QUESTION = {"mode": "form", "message": "How many?", "requestedSchema": SCHEMA}


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("work")])


def answer(key: str, content: dict[str, Any] | None = None, action: Any = ACCEPT) -> Any:
    text = "" if content is None else json.dumps(content)
    return calls_pb.Answer(key=key, action=action, content=text)


def reply(
    request: calls_pb.RunCallRequest, *answers: Any, generation: int = 1, by: str = "ann"
) -> calls_pb.AnswerCallRequest:
    return calls_pb.AnswerCallRequest(
        turn=request.turn,
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        generation=generation,
        answers=answers,
        principal=by,
        timeout=timedelta(seconds=30),
    )


async def give(tenant: Tenant, replied: calls_pb.AnswerCallRequest) -> tool_pb2.Call:
    response = await tenant.registry.calls.AnswerCall(replied, metadata=tenant.as_service())
    return response.call


def asking(asked: list[str], *messages: str) -> Any:
    """Returns a tool that asks these things in turn, and says what it was told."""

    async def ask(called: Called) -> dict[str, Any]:
        told: list[Any] = []
        for message in messages:
            asked.append(message)
            told.append(
                (await called.ask("elicitation/create", {**QUESTION, "message": message}))["result"]
            )
        return said(json.dumps(told))

    return ask


async def test_a_call_asked_anew_finds_every_answer_that_was_given(
    tenant: Tenant, server: ScriptedServer, place: str
):
    """A handshake server asks on its stream: each answer takes it one question further."""
    asked: list[str] = []
    server.answer = asking(asked, "first", "second")
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")

    waiting = await tenant.run(request)
    assert [(need.key, need.message) for need in waiting.needs] == [
        ("0", "first"),
        ("1", "second"),
    ]
    await give(tenant, reply(request, answer("0", {"seats": 2}), answer("1", action=DECLINE)))
    call = await tenant.run(request)

    assert json.loads(text_of(call)) == [
        {"action": "accept", "content": {"seats": 2}},
        {"action": "decline"},
    ]
    assert (call.generation, call.resolved_by, len(call.needs)) == (2, "ann", 0)


async def test_calls_at_once_in_one_session_are_asked_each_its_own(
    tenant: Tenant, server: ScriptedServer, place: str
):
    """The one that asked nothing succeeds, and does not run again for what the other asked."""
    ran: list[str] = []
    both = asyncio.Event()

    async def ask(called: Called) -> dict[str, Any]:
        ran.append(called.arguments["of"])
        if len(ran) == 2:
            both.set()
        await both.wait()
        if called.arguments["of"] == "plain":
            return said("plain")
        return said(json.dumps((await called.ask("elicitation/create", QUESTION))["result"]))

    server.answer, server.sessions = ask, True
    await tenant.connect(url=place)
    plain = await tenant.ask("effects/work", of="plain")
    asks = await tenant.ask("effects/work", of="asks")
    plain.conversation = asks.conversation = str(uuid4())

    quiet, waiting = await asyncio.gather(tenant.run(plain), tenant.run(asks))

    assert (text_of(quiet), len(quiet.needs)) == ("plain", 0)
    assert [need.message for need in waiting.needs] == ["How many?"]


async def test_the_stateless_protocol_is_given_answers_with_its_state(
    tenant: Tenant, server: ScriptedServer, place: str
):
    seen: list[dict[str, Any]] = []

    async def ask(called: Called) -> dict[str, Any]:
        seen.append(called.params)
        if "inputResponses" in called.params:
            return said("went on")
        asked = {"seats": {"method": "elicitation/create", "params": QUESTION}}
        return {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}

    server.era, server.answer = STATELESS, ask
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)

    await give(tenant, reply(request, answer("seats", {"seats": 3})))
    call = await tenant.run(request)

    assert text_of(call) == "went on"
    assert seen[1]["requestState"] == "s"
    assert seen[1]["inputResponses"] == {"seats": {"action": "accept", "content": {"seats": 3}}}
    keys = [params["_meta"]["turnpike/idempotency-key"] for params in seen]
    assert keys[0] == keys[1]


async def test_a_task_that_waits_is_told_and_not_begun_again(
    tenant: Tenant, server: ScriptedServer, place: str
):
    told: list[dict[str, Any]] = []
    begun: list[Called] = []

    def shown(_: Any = None) -> dict[str, Any]:
        status = "completed" if told else "input_required"
        asked = {"seats": {"method": "elicitation/create", "params": QUESTION}}
        task = {"taskId": "t1", "status": status, "pollIntervalMs": 100}
        return {**task, "result": said("sat")} if told else {**task, "inputRequests": asked}

    def update(params: dict[str, Any]) -> dict[str, Any]:
        told.append(params["inputResponses"])
        return shown()

    async def begin(called: Called) -> dict[str, Any]:
        begun.append(called)
        return {"resultType": "task", "task": shown()}

    server.era, server.answer = STATELESS, begin
    server.others = {"tasks/get": shown, "tasks/update": update}
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")

    waiting = await tenant.run(request)
    assert [(need.key, need.message) for need in waiting.needs] == [("seats", "How many?")]
    await give(tenant, reply(request, answer("seats", {"seats": 4})))
    call = await tenant.run(request)

    assert (text_of(call), len(begun)) == ("sat", 1)
    assert told == [{"seats": {"action": "accept", "content": {"seats": 4}}}]


async def test_a_call_goes_on_after_its_requester_signed_in(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await superuser.execute(
        "UPDATE connectors SET discovered_at = now() - interval '5 s' WHERE tenant = $1", tenant.id
    )
    server.token = "secret"
    assert [need.kind for need in (await tenant.run(request)).needs] == [tool_pb2.NEED_KIND_SIGN_IN]

    await tenant.connect(url=place, headers={"authorization": "Bearer secret"})
    await until(lambda: _is_listed(tenant))
    await give(tenant, reply(request))

    assert text_of(await tenant.run(request)) == "work"


async def test_of_all_who_answer_one_does(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str
):
    asked: list[str] = []
    server.answer = asking(asked, "first")
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)
    replies = [
        reply(request, answer("0", {"seats": number}), by=f"person {number}") for number in range(8)
    ]

    ended = await asyncio.gather(
        *(
            give(tenant.on(other) if number % 2 else tenant, each)
            for number, each in enumerate(replies)
        ),
        return_exceptions=True,
    )

    (won,) = [number for number, each in enumerate(ended) if not isinstance(each, BaseException)]
    call = await tenant.run(request)
    assert json.loads(text_of(call))[0]["content"] == {"seats": won}
    assert len(asked) == 2
    # Who lost the reply asks again, and is told the same; whoever else is not.
    assert (await give(tenant, replies[won])).generation == 2
    late = await refusal(give(tenant, replies[won - 1]))
    assert (late.reason, late.metadata["generation"]) == ("CALL_NOT_WAITING", "2")


@pytest.mark.parametrize(
    ("answers", "field"),
    [
        ([], "answers"),
        ([answer("1", {"seats": 1})], "answers"),
        ([answer("0", {"seats": 1}), answer("0", {"seats": 2})], "answers"),
        ([answer("0", {"seats": "many"})], "answers[0].content"),
        ([answer("0")], "answers[0].content"),
        ([answer("0", {"seats": 1}, DECLINE)], "answers[0].content"),
    ],
    ids=["none", "foreign", "twice", "wrong", "empty", "declined"],
)
async def test_answers_that_are_not_those_change_nothing(
    tenant: Tenant, server: ScriptedServer, place: str, answers: list[Any], field: str
):
    server.answer = asking([], "first")
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    waiting = await tenant.run(request)

    error = await refusal(give(tenant, reply(request, *answers)))

    assert (error.reason, [path for path, _ in error.fields]) == (
        "INVALID_ARGUMENT",
        [field],
    )
    assert await tenant.run(request) == waiting


async def test_what_waits_for_nobody_takes_no_answer(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)

    assert (await refusal(give(tenant, reply(request)))).reason == "CALL_NOT_WAITING"
    request.ordinal = 9
    assert (await refusal(give(tenant, reply(request)))).reason == "CALL_NOT_WAITING"


async def test_a_claim_that_was_replaced_gives_no_answer(
    tenant: Tenant, server: ScriptedServer, place: str
):
    asked: list[str] = []
    server.answer = asking(asked, "first")
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)
    await tenant.announce(request.turn, 9)

    late = reply(request, answer("0", {"seats": 1}))

    assert (await refusal(give(tenant, late))).reason == "FENCE_STALE"
    assert asked == ["first"]


async def _is_listed(tenant: Tenant) -> bool:
    return (await tenant.connector()).state == tool_pb2.CONNECTOR_STATE_OK
