"""Variables and secrets: kept sealed, filled in for the requester, told to nobody else."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from tests.doubles.http1 import Connection, Request
from tests.doubles.scripted_mcp import Called, ScriptedServer, said, tool
from tests.tool_registry.serving import Registry, Tenant, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as connectors_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1 import variable_service_pb2 as pb
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub

MINE = pb.VARIABLE_SCOPE_PERSON


class Watched(ScriptedServer):
    """Keeps the paths that it was asked for."""

    paths: set[str]

    async def _respond(self, connection: Connection, request: Request) -> None:
        self.paths.add(request.path)
        await super()._respond(connection, request)


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    watched = Watched([tool("work")])
    watched.paths = set()
    return watched


def service(tenant: Tenant) -> VariableServiceStub:
    return VariableServiceStub(tenant.registry.channel)


async def put(
    tenant: Tenant,
    name: str,
    value: str | None,
    *,
    principal: str = "",
    role: str = "admin",
    scope: Any = pb.VARIABLE_SCOPE_TENANT,
    secret: bool = False,
    **others: Any,
) -> pb.SetVariableResponse:
    variable = pb.Variable(name=name, value=value, secret=secret, scope=scope)
    return await service(tenant).SetVariable(
        pb.SetVariableRequest(variable=variable, **others),
        metadata=tenant.as_principal(role, principal),
    )


async def put_mine(tenant: Tenant, name: str, value: str, principal: str, **others: Any) -> None:
    await put(tenant, name, value, principal=principal, role="member", scope=MINE, **others)


async def listed(tenant: Tenant, principal: str = "") -> Sequence[pb.Variable]:
    metadata = tenant.as_principal("member", principal)
    response = await service(tenant).ListVariables(pb.ListVariablesRequest(), metadata=metadata)
    return response.variables


async def called_for(tenant: Tenant, principal: str, **arguments: Any) -> tool_pb2.Call:
    request = await tenant.ask("effects/work", **arguments)
    request.principal = principal
    return await tenant.run(request)


async def test_a_variable_is_kept_and_a_secret_is_not_told(
    tenant: Tenant, superuser: asyncpg.Connection
):
    await put(tenant, "REGION", "north")
    made = await put(tenant, "TOKEN", "s3cret-value", secret=True)

    shown = await listed(tenant)
    assert [(each.name, each.value, each.secret) for each in shown] == [
        ("REGION", "north", False),
        ("TOKEN", "", True),
    ]
    assert not shown[1].HasField("value")
    assert not made.variable.HasField("value")
    stored = await superuser.fetch("SELECT * FROM variables WHERE tenant = $1", tenant.id)
    assert len(stored) == 2
    assert not any(word in str(stored) for word in ("s3cret", "north"))


async def test_what_is_set_again_is_unchanged_and_a_secret_stays_one(tenant: Tenant):
    first = await put(tenant, "TOKEN", "one-value", secret=True)
    same = await put(tenant, "TOKEN", "one-value", secret=True)
    kept = await put(tenant, "TOKEN", None, secret=True)

    assert (first.change, same.change, kept.change) == (
        connectors_pb.CHANGE_CREATED,
        connectors_pb.CHANGE_UNCHANGED,
        connectors_pb.CHANGE_UNCHANGED,
    )
    # Shown as plain, it would be told.
    error = await refusal(put(tenant, "TOKEN", None))
    assert (error.reason, [path for path, _ in error.fields]) == (
        "INVALID_ARGUMENT",
        ["variable.value"],
    )


async def test_a_persons_variables_are_that_persons(tenant: Tenant):
    ann, ben = str(uuid4()), str(uuid4())
    await put(tenant, "COLOUR", "grey")
    await put_mine(tenant, "COLOUR", "green", ann)

    assert [each.value for each in await listed(tenant, ann)] == ["grey", "green"]
    assert [each.value for each in await listed(tenant, ben)] == ["grey"]
    # Not even to an admin.
    metadata = tenant.as_principal("admin", ben)
    wanted = pb.GetVariableRequest(name="COLOUR", scope=MINE)
    found = service(tenant).GetVariable(wanted, metadata=metadata)
    assert (await refusal(found)).reason == "NOT_FOUND"
    assert (await refusal(put(tenant, "COLOUR", "red", role="member"))).reason == "FORBIDDEN"


async def test_etags_and_names_that_are_taken_are_honoured(tenant: Tenant):
    first = await put(tenant, "A", "1", must_be_new=True)
    second = await put(tenant, "A", "2", etag=first.variable.etag)

    assert (await refusal(put(tenant, "A", "3", must_be_new=True))).reason == "CONFLICT"
    late = await refusal(put(tenant, "A", "3", etag=first.variable.etag))
    assert (late.reason, late.metadata["etag"]) == ("ETAG_MISMATCH", second.variable.etag)
    checked = await put(tenant, "A", "4", validate_only=True)
    assert (checked.change, (await listed(tenant))[0].value) == (connectors_pb.CHANGE_CHANGED, "2")
    metadata = tenant.as_principal()
    await service(tenant).DeleteVariable(pb.DeleteVariableRequest(name="A"), metadata=metadata)
    gone = service(tenant).DeleteVariable(pb.DeleteVariableRequest(name="A"), metadata=metadata)
    assert (await refusal(gone)).reason == "NOT_FOUND"


async def test_of_two_who_create_a_variable_at_once_one_does(tenant: Tenant, other: Registry):
    """Both pass the look at what is there unless they take turns."""
    ended = await asyncio.gather(
        *(
            put(tenant.on(other) if number % 2 else tenant, "A", str(number), must_be_new=True)
            for number in range(8)
        ),
        return_exceptions=True,
    )

    assert sum(not isinstance(each, BaseException) for each in ended) == 1


async def test_a_call_carries_its_requesters_value_before_the_tenants(
    tenant: Tenant, server: ScriptedServer, place: str
):
    ann, ben = str(uuid4()), str(uuid4())
    await put(tenant, "TOKEN", "everybodys", secret=True)
    await put_mine(tenant, "TOKEN", "only-anns", ann, secret=True)
    headers = {"authorization": "Bearer ${var.TOKEN}", "x-text": "$${var.TOKEN} $HOME"}
    await tenant.connect(url=place, headers=headers)
    await tenant.tools()

    await called_for(tenant, ann)
    assert "Bearer only-anns" in server.shown
    server.shown.clear()
    await called_for(tenant, ben)

    assert server.shown == {"Bearer everybodys"}


async def test_a_change_is_carried_by_the_next_call_over_another_connection(
    tenant: Tenant, other: Registry, server: ScriptedServer, place: str
):
    server.sessions = True
    await put(tenant, "TOKEN", "first-value", secret=True)
    await tenant.connect(url=place, headers={"authorization": "Bearer ${var.TOKEN}"})
    request = await tenant.ask("effects/work")
    request.conversation = str(uuid4())
    await tenant.run(request)
    opened = server.count("initialize")
    request.turn = str(uuid4())
    await tenant.run(request)
    assert server.count("initialize") == opened

    # On another replica: nothing that this one remembers may hide it.
    await put(tenant.on(other), "TOKEN", "second-value", secret=True)
    server.shown.clear()
    request.turn = str(uuid4())
    call = await tenant.run(request)

    assert text_of(call) == "work"
    assert "Bearer second-value" in server.shown
    assert server.count("initialize") == opened + 1


async def test_urls_take_values_as_one_segment_of_their_path(
    tenant: Tenant, server: Watched, place: str
):
    await put(tenant, "SPACE", "a/../b?c")
    await tenant.connect(url=place.replace("/mcp", "/${var.SPACE}/mcp"))

    await tenant.tools()

    assert server.paths == {"/a%2F..%2Fb%3Fc/mcp"}


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"url": "https://${var.HOST}/mcp"}, "connector.url"),
        ({"url": "https://a.test/${var.SPACE"}, "connector.url"),
        ({"headers": {"x": "${var.a b}"}}, "connector.headers[x]"),
    ],
    ids=["host", "open", "name"],
)
async def test_variables_are_refused_where_none_can_stand(
    tenant: Tenant, fields: dict[str, Any], field: str
):
    error = await refusal(tenant.connect(**{"url": "https://a.test/mcp", **fields}))

    assert (error.reason, [path for path, _ in error.fields]) == ("INVALID_ARGUMENT", [field])


async def test_what_is_not_there_is_said_by_field_and_name(
    tenant: Tenant, server: ScriptedServer, place: str
):
    ann, ben = str(uuid4()), str(uuid4())
    headers = {"authorization": "Bearer ${var.TOKEN}"}
    connector = await tenant.connect(url=place, headers=headers)
    await until(lambda: _fault(tenant, tool_pb2.FAULT_VARIABLE))
    probed = await tenant.registry.connectors.ProbeConnector(
        connectors_pb.ProbeConnectorRequest(
            connector=tool_pb2.Connector(
                name="x", transport=tool_pb2.TRANSPORT_HTTP, url=place, headers=headers
            )
        ),
        metadata=tenant.as_principal(),
    )
    assert probed.probe.fault == tool_pb2.FAULT_VARIABLE
    for words in (probed.probe.message, (await tenant.connector()).state_reason):
        assert "connector.headers[authorization]" in words
        assert "'TOKEN'" in words

    # With the value of one person its tools are found out, and serve that person.
    await put_mine(tenant, "TOKEN", "anns-value", ann)
    await until(lambda: _fault(tenant, tool_pb2.FAULT_UNSPECIFIED))
    assert text_of(await called_for(tenant, ann)) == "work"
    refused = await called_for(tenant, ben)

    assert (connector.name, refused.reason) == ("effects", "VARIABLE_UNUSABLE")
    assert "connector.headers[authorization] names the variable 'TOKEN'" in text_of(refused)


async def test_a_persons_connector_is_not_given_the_tenants_secrets(
    tenant: Tenant, server: ScriptedServer, place: str
):
    """Whoever says where it is would read them there."""
    ann = str(uuid4())
    await put(tenant, "TOKEN", "the-tenants-own", secret=True)
    server.shown.clear()
    await tenant.registry.connectors.UpdateConnector(
        connectors_pb.UpdateConnectorRequest(
            connector=tool_pb2.Connector(
                name="effects",
                transport=tool_pb2.TRANSPORT_HTTP,
                url=place,
                owner=ann,
                headers={"authorization": "${var.TOKEN}"},
            ),
            allow_missing=True,
        ),
        metadata=tenant.as_principal("member", ann),
    )

    await until(lambda: _fault(tenant, tool_pb2.FAULT_VARIABLE))
    assert "the-tenants-own" not in str(server.shown)


async def test_a_value_that_no_header_has_is_not_sent(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await put(tenant, "TOKEN", "a\r\nx-evil: 1")
    await tenant.connect(url=place, headers={"x-one": "${var.TOKEN}"})

    await until(lambda: _fault(tenant, tool_pb2.FAULT_VARIABLE))
    assert server.seen == []


async def test_a_secret_that_comes_back_is_not_kept(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    """A server may repeat what it was given; no log, event or row has it."""
    secret = 'quo"ted-s3cret'

    async def repeat(called: Called) -> dict[str, Any]:
        token = called.meta["progressToken"]
        told = {"progressToken": token, "progress": 1, "message": f"with {secret}"}
        called.notify("notifications/progress", told)
        await go_on.wait()
        return {**said(f"I was given {secret}"), "structuredContent": {"given": secret}}

    go_on = asyncio.Event()
    server.answer = repeat
    await put(tenant, "TOKEN", secret, secret=True)
    await tenant.connect(url=place, headers={"authorization": "Bearer ${var.TOKEN}"})
    told: list[str] = []
    call = tool_pb2.Call()
    async for response in tenant.watch(await tenant.ask("effects/work")):
        call = response.call
        if response.HasField("progress"):
            told.append(response.progress.message)
            go_on.set()

    assert f"Bearer {secret}" in server.shown
    assert told == ["with [secret TOKEN]"]
    assert text_of(call) == "I was given [secret TOKEN]"
    assert json.loads(call.structured) == {"given": "[secret TOKEN]"}
    rows = await superuser.fetch("SELECT * FROM calls WHERE tenant = $1", tenant.id)
    assert "s3cret" not in str(rows)


async def filled(tenant: Tenant, text: str, metadata: Any = None, **others: Any) -> str:
    request = pb.FillTextRequest(text=text, field="agent.instructions", **others)
    response = await service(tenant).FillText(request, metadata=metadata or tenant.as_service())
    return response.text


async def test_a_text_for_models_is_filled_in_for_the_runtime_alone(tenant: Tenant):
    await put(tenant, "REGION", "north")

    text = "In ${var.REGION}, with $${var.REGION} and ${HOME}."

    assert await filled(tenant, text) == "In north, with ${var.REGION} and ${HOME}."
    mine = filled(tenant, text, tenant.as_principal())
    assert (await refusal(mine)).reason == "FORBIDDEN"


@pytest.mark.parametrize(
    ("name", "executed", "checked"),
    [("GONE", "VARIABLE_UNUSABLE", ""), ("TOKEN", "VARIABLE_UNUSABLE", "INVALID_ARGUMENT")],
    ids=["missing", "secret"],
)
async def test_what_models_cannot_be_told_is_named(
    tenant: Tenant, name: str, executed: str, checked: str
):
    await put(tenant, "TOKEN", "hidden-value", secret=True)
    text = "Say ${var." + name + "}."

    error = await refusal(filled(tenant, text))
    assert (error.reason, error.metadata["variable"]) == (executed, name)
    assert error.metadata["field"] == "agent.instructions"
    assert "hidden" not in error.message

    if checked:
        error = await refusal(filled(tenant, text, check_only=True))
        assert (error.reason, error.fields[0][0]) == (checked, "agent.instructions")
    else:
        assert await filled(tenant, text, check_only=True) == ""


async def test_what_was_sealed_under_one_name_opens_under_no_other(
    tenant: Tenant, server: ScriptedServer, place: str, superuser: asyncpg.Connection
):
    await put(tenant, "A", "one-value")
    await superuser.execute("UPDATE variables SET name = 'B' WHERE tenant = $1", tenant.id)

    assert [each.HasField("value") for each in await listed(tenant)] == [False]
    await tenant.connect(url=place, headers={"x-one": "${var.B}"})
    await until(lambda: _fault(tenant, tool_pb2.FAULT_VARIABLE))
    # Set anew it is whole again, and what failed for want of it goes on.
    await put(tenant, "B", "two-value")
    await until(lambda: _fault(tenant, tool_pb2.FAULT_UNSPECIFIED))


async def _fault(tenant: Tenant, fault: Any) -> bool:
    connector = await tenant.connector()
    return connector.fault == fault and bool(connector.state)
