"""The effect ledger's other ends: people who settle, tasks that go on, questions, progress."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from tests.doubles.scripted_mcp import (
    STATELESS,
    Called,
    RpcError,
    ScriptedServer,
    said,
    tool,
)
from tests.tool_registry.serving import Registry, Tenant, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import effect_service_pb2 as effects_pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceStub

SUCCEEDED = tool_pb2.CALL_STATUS_SUCCEEDED
DONE = calls_pb.RESOLUTION_DONE
NOT_DONE = calls_pb.RESOLUTION_NOT_DONE
RUN_AGAIN = calls_pb.RESOLUTION_RUN_AGAIN


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("work"), tool("safe", annotations={"idempotentHint": True})])


def resolution(
    request: calls_pb.RunCallRequest, verdict: Any, generation: int = 1, **others: Any
) -> calls_pb.ResolveCallRequest:
    others.setdefault("principal", "anna")
    return calls_pb.ResolveCallRequest(
        turn=request.turn,
        fence=request.fence,
        step=request.step,
        ordinal=request.ordinal,
        generation=generation,
        resolution=verdict,
        timeout=timedelta(seconds=30),
        **others,
    )


async def resolve(tenant: Tenant, request: calls_pb.ResolveCallRequest) -> tool_pb2.Call:
    stub = tenant.registry.calls
    return (await stub.ResolveCall(request, metadata=tenant.as_service())).call


async def unknown(
    tenant: Tenant, server: ScriptedServer, principal: str = ""
) -> calls_pb.RunCallRequest:
    """Returns a call whose outcome nobody knows."""

    async def hang_up(_: Called) -> dict[str, Any]:
        for connection in server.called_on:
            connection.cut()
        await asyncio.Event().wait()
        return {}

    answer, server.answer = server.answer, hang_up
    request = await tenant.ask("effects/work")
    request.principal = principal
    call = await tenant.run(request)
    assert (call.status, call.generation) == (tool_pb2.CALL_STATUS_UNKNOWN, 1)
    server.answer = answer
    return request


@pytest.mark.parametrize(
    ("verdict", "status", "reason"),
    [
        (DONE, tool_pb2.CALL_STATUS_SUCCEEDED, "RESOLVED_DONE"),
        (NOT_DONE, tool_pb2.CALL_STATUS_FAILED, "RESOLVED_NOT_DONE"),
    ],
    ids=["done", "not done"],
)
async def test_who_has_looked_says_what_became_of_a_call(
    tenant: Tenant, server: ScriptedServer, place: str, verdict: Any, status: Any, reason: str
):
    await tenant.connect(url=place)
    request = await unknown(tenant, server)

    call = await resolve(tenant, resolution(request, verdict, text="I looked."))
    again = await resolve(tenant, resolution(request, verdict, text="I looked."))
    joined = await tenant.run(request)

    assert call == again == joined
    assert (call.status, call.reason, call.resolved_by) == (status, reason, "anna")
    assert (text_of(call), call.generation) == ("I looked.", 2)
    assert server.count("tools/call") == 1


async def test_a_call_runs_again_once_and_with_the_same_key_when_somebody_says_so(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str
):
    keys: list[str] = []

    async def note(called: Called) -> dict[str, Any]:
        keys.append(called.meta["turnpike/idempotency-key"])
        return said("now")

    server.answer = note
    await tenant.connect(url=place)
    request = await unknown(tenant, server)
    asked = [
        resolve(
            tenant.on(other) if number % 2 else tenant,
            resolution(request, RUN_AGAIN, principal=f"person {number}"),
        )
        for number in range(20)
    ]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    call = await tenant.run(request)

    assert sum(not isinstance(each, BaseException) for each in ended) == 1
    assert (text_of(call), call.status) == ("now", tool_pb2.CALL_STATUS_SUCCEEDED)
    assert keys == [f"{request.turn}:1:0"]


async def test_what_is_known_is_not_resolved(tenant: Tenant, server: ScriptedServer, place: str):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await tenant.run(request)

    error = await refusal(resolve(tenant, resolution(request, RUN_AGAIN)))

    assert (error.code.name, error.reason) == ("FAILED_PRECONDITION", "CALL_NOT_UNKNOWN")
    assert error.metadata["status"] == "SUCCEEDED"
    stale = resolution(await unknown(tenant, server), DONE, generation=7)
    assert (await refusal(resolve(tenant, stale))).reason == "CALL_NOT_UNKNOWN"


async def test_a_replaced_claim_resolves_nothing(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await unknown(tenant, server)
    await tenant.announce(request.turn, 2)

    assert (await refusal(resolve(tenant, resolution(request, DONE)))).reason == "FENCE_STALE"


async def test_people_are_shown_what_nobody_knows_and_settle_their_own(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    requests = [await unknown(tenant, server, principal="anna") for _ in range(3)]
    await unknown(tenant, server, principal="ben")
    stub = EffectServiceStub(tenant.registry.channel)
    anna, ben = (tenant.as_principal("member", name) for name in ("anna", "ben"))
    wanted = f"{requests[0].turn}:1:0"
    done = effects_pb.ResolveEffectRequest(
        effect=wanted, generation=1, resolution=DONE, text="It is there."
    )

    async def shown(metadata: Any, token: str = "") -> effects_pb.ListUnknownEffectsResponse:
        listing = effects_pb.ListUnknownEffectsRequest(page_size=2, page_token=token)
        return await stub.ListUnknownEffects(listing, metadata=metadata)

    first = await shown(anna)
    second = await shown(anna, first.next_page_token)
    listed = [each.call.effect for each in (*first.effects, *second.effects)]
    assert listed == [f"{request.turn}:1:0" for request in reversed(requests)]
    assert {each.principal for each in first.effects} == {"anna"}
    assert not second.next_page_token
    assert len((await shown(ben)).effects) == 1
    assert (await shown(tenant.as_principal())).next_page_token

    get = effects_pb.GetEffectRequest(effect=wanted)
    assert (await refusal(stub.GetEffect(get, metadata=ben))).reason == "NOT_FOUND"
    assert (await refusal(stub.ResolveEffect(done, metadata=ben))).reason == "NOT_FOUND"
    viewer = tenant.as_principal("viewer", "anna")
    assert (await refusal(stub.ResolveEffect(done, metadata=viewer))).reason == "FORBIDDEN"
    service = tenant.as_service()
    assert (await refusal(stub.ResolveEffect(done, metadata=service))).reason == "FORBIDDEN"
    strangers = tenant.registry.new_tenant().as_principal()
    assert (await refusal(stub.GetEffect(get, metadata=strangers))).reason == "NOT_FOUND"

    settled = (await stub.ResolveEffect(done, metadata=anna)).effect
    again = (await stub.ResolveEffect(done, metadata=anna)).effect
    assert settled == again == (await stub.GetEffect(get, metadata=anna)).effect
    assert (settled.call.status, settled.call.resolved_by) == (SUCCEEDED, "anna")
    assert (settled.tool, text_of(settled.call)) == ("effects/work", "It is there.")
    assert wanted not in [each.call.effect for each in (await shown(anna)).effects]
    done.resolution = RUN_AGAIN
    assert (await refusal(stub.ResolveEffect(done, metadata=anna))).reason == "CALL_NOT_UNKNOWN"


async def test_a_person_has_a_call_run_again_as_it_was_asked_for(
    tenant: Tenant, server: ScriptedServer, place: str
):
    seen: list[tuple[dict[str, Any], str]] = []

    async def note(called: Called) -> dict[str, Any]:
        seen.append((called.arguments, called.meta["turnpike/idempotency-key"]))
        return said("now")

    await tenant.connect(url=place)
    request = await unknown(tenant, server, principal="anna")
    server.answer = note
    stub = EffectServiceStub(tenant.registry.channel)
    effect = f"{request.turn}:1:0"
    again = effects_pb.ResolveEffectRequest(effect=effect, generation=1, resolution=RUN_AGAIN)

    await stub.ResolveEffect(again, metadata=tenant.as_principal("member", "anna"))

    call = await tenant.run(request)
    assert (call.status, text_of(call), call.generation) == (SUCCEEDED, "now", 2)
    assert seen == [(json.loads(request.arguments), effect)]


async def test_progress_and_logs_are_told_while_a_call_runs(
    tenant: Tenant, server: ScriptedServer, place: str
):
    go_on = asyncio.Event()

    async def work(called: Called) -> dict[str, Any]:
        token = called.meta["progressToken"]
        told = {"progressToken": token, "progress": 1, "total": 3, "message": "one"}
        called.notify("notifications/progress", told)
        await go_on.wait()
        called.notify("notifications/message", {"level": "info", "data": "a line"})
        await asyncio.sleep(0.5)
        return said("done")

    server.answer = work
    await tenant.connect(url=place)
    told: list[tuple[float, float, str]] = []
    async for response in tenant.watch(await tenant.ask("effects/work")):
        if response.HasField("progress"):
            progress = response.progress
            told.append((progress.progress, progress.total, progress.message))
            go_on.set()

    assert told[0] == (1, 3, "one")
    assert told[-1] == (1, 3, "a line")


async def test_a_question_to_a_person_is_told_as_one(
    tenant: Tenant, server: ScriptedServer, place: str
):
    async def ask(called: Called) -> dict[str, Any]:
        schema = {"type": "object", "properties": {"sure": {"type": "boolean"}}}
        asked = {"mode": "form", "message": "Sure?", "requestedSchema": schema}
        answer = await called.ask("elicitation/create", asked)
        return said(answer["result"]["action"])

    server.answer = ask
    await tenant.connect(url=place)

    call = await tenant.run(await tenant.ask("effects/work"))

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "INPUT_REQUIRED")
    (need,) = call.needs
    assert (need.kind, need.connector) == (tool_pb2.NEED_KIND_ELICITATION, "effects")
    assert need.message == "Sure?"
    assert "sure" in json.loads(need.schema)["properties"]


async def test_the_stateless_protocols_question_is_told_with_its_state(
    tenant: Tenant, server: ScriptedServer, place: str
):
    asked = {
        "sure": {"method": "elicitation/create", "params": {"message": "Sure?"}},
        "roots": {"method": "roots/list"},
    }

    async def ask(_: Called) -> dict[str, Any]:
        return {"resultType": "input_required", "inputRequests": asked, "requestState": "s"}

    server.era, server.answer = STATELESS, ask
    await tenant.connect(url=place)

    call = await tenant.run(await tenant.ask("effects/work"))

    assert call.reason == "INPUT_REQUIRED"
    assert json.loads(call.structured) == {"inputRequests": asked, "requestState": "s"}
    assert [(need.kind, need.key) for need in call.needs] == [
        (tool_pb2.NEED_KIND_ELICITATION, "sure"),
        (tool_pb2.NEED_KIND_INPUT_REQUIRED, "roots"),
    ]


async def test_a_page_to_visit_first_is_told_with_its_address(
    tenant: Tenant, server: ScriptedServer, place: str
):
    page = {"mode": "url", "message": "Pay.", "elicitationId": "e"}

    async def refuse(_: Called) -> dict[str, Any]:
        pages = [{**page, "url": "https://pay.test/1"}, {**page, "url": "javascript:alert(1)"}]
        raise RpcError(-32042, "first pay", {"elicitations": pages})

    server.answer = refuse
    await tenant.connect(url=place)

    call = await tenant.run(await tenant.ask("effects/work"))

    assert call.reason == "INPUT_REQUIRED"
    assert [need.kind for need in call.needs] == [tool_pb2.NEED_KIND_ELICITATION] * 2
    # No browser is to be sent where no page is.
    assert [need.url for need in call.needs] == ["https://pay.test/1", ""]


async def test_a_server_that_wants_a_sign_in_is_marked(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    await superuser.execute(
        "UPDATE connectors SET discovered_at = now() - interval '5 s' WHERE tenant = $1", tenant.id
    )
    server.token = "secret"

    call = await tenant.run(request)

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "AUTH_REQUIRED")
    (need,) = call.needs
    assert (need.kind, need.connector) == (tool_pb2.NEED_KIND_SIGN_IN, "effects")
    await until(lambda: _needs_auth(tenant))
    assert len(await tenant.tools()) == 2


class Tasks:
    """A server's tasks, by the protocol's rules of 2025-11-25 or of 2026-07-28."""

    def __init__(self, server: ScriptedServer, *, on_demand: bool) -> None:
        self.status = "working"
        self.begun = 0
        self._on_demand = on_demand
        server.answer, server.tasks = self.begin, on_demand
        server.others = {
            "tasks/get": lambda _: self.shown(),
            "tasks/result": lambda _: said("long done"),
            "tasks/cancel": self.cancel,
        }

    def shown(self) -> dict[str, Any]:
        times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
        return {"taskId": "t1", "status": self.status, "ttl": None, "pollInterval": 100, **times}

    def cancel(self, _: dict[str, Any]) -> dict[str, Any]:
        self.status = "cancelled"
        return self.shown()

    async def begin(self, called: Called) -> dict[str, Any]:
        if self._on_demand and "task" not in called.params:
            raise RpcError(-32601, "this tool runs as a task")
        self.begun += 1
        return {"task": self.shown()} | ({} if self._on_demand else {"resultType": "task"})


@pytest.mark.parametrize("on_demand", [True, False], ids=["2025-11-25", "2026-07-28"])
async def test_a_task_is_followed_to_its_end(
    tenant: Tenant, server: ScriptedServer, place: str, on_demand: bool
):
    server.era = server.era if on_demand else STATELESS
    tasks = Tasks(server, on_demand=on_demand)
    await tenant.connect(url=place)
    running = asyncio.create_task(tenant.run(await tenant.ask("effects/work")))
    await until(lambda: server.count("tasks/get") >= 2)
    tasks.status = "completed"

    call = await running

    assert (text_of(call), call.task, tasks.begun) == ("long done", "t1", 1)


async def test_a_task_outlives_the_replica_that_began_it(
    tenant: Tenant,
    other: Registry,
    server: ScriptedServer,
    place: str,
    superuser: asyncpg.Connection,
):
    """Its executor is gone; whoever takes the call asks after the task, and calls nothing."""
    server.era = STATELESS
    tasks = Tasks(server, on_demand=False)
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: server.count("tasks/get") >= 1)

    # As if the executor had died: the row is another's, who does not live.
    await superuser.execute(
        "UPDATE calls SET executor = gen_random_uuid() WHERE turn = $1", request.turn
    )
    asked = server.count("tasks/get")
    await until(lambda: server.count("tasks/get") > asked + 2)
    tasks.status = "completed"
    call = await running

    assert (text_of(call), tasks.begun) == ("long done", 1)
    assert await superuser.fetchval("SELECT attempt FROM calls WHERE turn = $1", request.turn) > 1


async def test_a_cancelled_task_is_cancelled_at_its_server(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.era = STATELESS
    tasks = Tasks(server, on_demand=False)
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: server.count("tasks/get") >= 1)

    await tenant.cancel(request)

    assert (await running).status == tool_pb2.CALL_STATUS_CANCELLED
    await until(lambda: tasks.status == "cancelled")


async def test_blocks_of_every_kind_are_kept_and_what_is_too_large_is_named(
    tenant: Tenant, server: ScriptedServer, place: str
):
    image = {"type": "image", "data": "aGk=", "mimeType": "image/png"}
    sound = {"type": "audio", "data": "aGk=", "mimeType": "audio/wav"}
    link = {"type": "resource_link", "uri": "file:///a", "name": "a"}
    inside = {"type": "resource", "resource": {"uri": "file:///b", "text": "b"}}
    large = {"type": "image", "data": "x" * 2_000_000, "mimeType": "image/jpeg"}

    async def show(_: Called) -> dict[str, Any]:
        return {"content": [image, sound, link, inside, large]}

    server.answer = show
    await tenant.connect(url=place)

    blocks = json.loads((await tenant.run(await tenant.ask("effects/work"))).result)

    assert blocks[:4] == [image, sound, link, inside]
    assert blocks[4]["text"].startswith("[image image/jpeg of 20000")
    assert blocks[5]["text"].startswith("[The result was cut")


async def test_hints_count_for_nothing_where_they_are_distrusted(
    registry: Registry, server: ScriptedServer, place: str
):
    async def hang(_: Called) -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    server.answer = hang
    statuses: dict[bool, Any] = {}
    for distrusted in (False, True):
        tenant = registry.new_tenant()
        await tenant.connect(url=place, distrust_annotations=distrusted)
        request = await tenant.ask("effects/safe")
        request.timeout.FromTimedelta(timedelta(seconds=1))
        statuses[distrusted] = (await tenant.run(request)).status

    assert statuses == {
        False: tool_pb2.CALL_STATUS_FAILED,
        True: tool_pb2.CALL_STATUS_UNKNOWN,
    }


async def test_a_call_can_be_looked_at(tenant: Tenant, server: ScriptedServer, place: str):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    call = await tenant.run(request)
    asked = calls_pb.GetCallRequest(turn=request.turn, step=1)
    stub, metadata = tenant.registry.calls, tenant.as_service()

    assert (await stub.GetCall(asked, metadata=metadata)).call == call
    missing = calls_pb.GetCallRequest(turn=request.turn, step=2)
    assert (await refusal(stub.GetCall(missing, metadata=metadata))).reason == "NOT_FOUND"


async def _needs_auth(tenant: Tenant) -> bool:
    return (await tenant.connector()).state == tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
