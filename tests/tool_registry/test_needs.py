"""What a call tells while it runs, and what it wants of a person."""

import asyncio
import json
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
from tests.tool_registry.serving import Tenant
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("work"), tool("safe", annotations={"idempotentHint": True})])


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


async def _needs_auth(tenant: Tenant) -> bool:
    return (await tenant.connector()).state == tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
