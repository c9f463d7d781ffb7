"""Warm connections: shared where the server keeps nothing, one per conversation where it does."""

import asyncio
import json
from collections import Counter
from typing import Any
from uuid import uuid4

import grpc
import pytest

from tests.conftest import Keys
from tests.doubles.scripted_mcp import HANDSHAKE, STATELESS, Called, ScriptedServer, said, tool
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for, text_of
from tests.waiting import until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls
from turnpike.tool_registry.links import pool
from turnpike.tool_registry.links.breaker import FAILURES


class Counting:
    """Counts the calls of each session, as servers with a memory do."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    async def __call__(self, called: Called) -> dict[str, Any]:
        self.calls[called.session] += 1
        return said(str(self.calls[called.session]))


@pytest.fixture
def server() -> ScriptedServer:
    """A server with sessions, which counts in each."""
    return ScriptedServer([tool("count")], answer=Counting(), sessions=True)


def asking(request: calls_pb.RunCallRequest, conversation: str) -> calls_pb.RunCallRequest:
    """Returns the same call, of another turn of a conversation."""
    asked = calls_pb.RunCallRequest()
    asked.CopyFrom(request)
    asked.turn, asked.conversation = str(uuid4()), conversation
    return asked


async def run_patiently(tenant: Tenant, request: calls_pb.RunCallRequest) -> tool_pb2.Call:
    """Runs a call as the runtime does: a replica that takes none for now is asked again."""
    call = tool_pb2.Call()

    async def ran() -> bool:
        nonlocal call
        try:
            call = await tenant.run(request)
        except grpc.aio.AioRpcError as error:
            return error.code() is not grpc.StatusCode.UNAVAILABLE
        return True

    await until(ran, seconds=60)
    return call


async def test_no_count_leaks_between_conversations_on_one_credential(
    tenant: Tenant, server: ScriptedServer, place: str
):
    """Fifty conversations of two people each, who share the connector's credential."""
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")

    async def talk(conversation: str) -> list[str]:
        counted: list[str] = []
        for person in ("anna", "ben"):
            asked = asking(request, conversation)
            asked.principal = person
            counted.append(text_of(await run_patiently(tenant, asked)))
        return counted

    counts = await asyncio.gather(*(talk(f"talk {number}") for number in range(50)))

    assert counts == [["1", "2"]] * 50


async def test_a_turns_calls_share_its_session_when_there_is_no_conversation(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")
    first = text_of(await tenant.run(request))
    request.ordinal = 1
    second = text_of(await tenant.run(request))

    assert (first, second) == ("1", "2")


@pytest.mark.parametrize(
    ("era", "sessions"),
    [(STATELESS, False), (HANDSHAKE, False), (HANDSHAKE, True)],
    ids=["stateless", "no session", "session"],
)
async def test_t7_a_second_call_makes_no_handshake(
    tenant: Tenant, server: ScriptedServer, place: str, era: str, sessions: bool
):
    server.era, server.sessions = era, sessions
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")
    await tenant.run(asking(request, "talk"))
    greeted = server.count("initialize") + server.count("server/discover")

    for _ in range(5):
        await tenant.run(asking(request, "talk"))

    assert server.count("initialize") + server.count("server/discover") == greeted


async def test_an_answer_that_is_a_stream_leaves_its_connection_to_the_next_call(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")

    for _ in range(5):
        await tenant.run(asking(request, "talk"))

    assert len(server.called_on) < 5


async def test_who_keeps_nothing_is_shared_by_all_conversations(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.era, server.sessions = STATELESS, False
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")
    await asyncio.gather(*(tenant.run(asking(request, f"talk {n}")) for n in range(20)))

    # One of them by the replica that discovered, should that have been another.
    assert server.count("server/discover") <= 2


async def test_many_conversations_leave_nothing_behind(
    urls: MigrationUrls,
    keys: Keys,
    server: ScriptedServer,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two hundred; `python -m tests.faults.conversations` makes ten thousand."""
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.5)
    monkeypatch.setattr(pool, "MAX_SESSIONS", 100)
    async with serving(settings_for(urls, keys), keys) as replica:
        tenant = replica.new_tenant()
        await tenant.connect(url=place)
        request = await tenant.ask("effects/count")
        for start in range(0, 200, 25):
            ended = await asyncio.gather(
                *(run_patiently(tenant, asking(request, f"talk {start + n}")) for n in range(25))
            )
            assert {text_of(call) for call in ended} == {"1"}
            assert len(server.open_sessions) <= 130

        await until(lambda: not server.open_sessions, seconds=30)


async def test_a_session_is_ended_though_its_connection_was_dead(
    urls: MigrationUrls,
    keys: Keys,
    server: ScriptedServer,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(pool, "IDLE_SECONDS", 0.5)
    async with serving(settings_for(urls, keys), keys) as replica:
        tenant = replica.new_tenant()
        await tenant.connect(url=place)
        server.cut_ends = 1
        await tenant.run(await tenant.ask("effects/count"))

        await until(lambda: not server.open_sessions)

        assert server.cut_ends == 0


async def test_t8_a_session_that_the_server_forgot_is_replaced(
    tenant: Tenant, server: ScriptedServer, place: str
):
    await tenant.connect(url=place)
    request = await tenant.ask("effects/count")
    await tenant.run(asking(request, "talk"))
    greeted = server.count("initialize")
    server.open_sessions.clear()

    call = await tenant.run(asking(request, "talk"))

    assert text_of(call) == "1"
    assert server.count("initialize") == greeted + 1


async def test_a_session_that_answers_no_pings_is_given_up(
    urls: MigrationUrls,
    keys: Keys,
    server: ScriptedServer,
    place: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(pool, "PING_SECONDS", 0.1)
    async with serving(settings_for(urls, keys), keys) as replica:
        tenant = replica.new_tenant()
        await tenant.connect(url=place)
        request = await tenant.ask("effects/count")
        await tenant.run(asking(request, "talk"))
        await until(lambda: server.count("ping") > 0)
        server.open_sessions.clear()
        await until(lambda: server.count("refused") == 2)

        call = await tenant.run(asking(request, "talk"))
        refused, pinged = server.count("refused"), server.count("ping")
        await until(lambda: server.count("ping") >= pinged + 3)

    # Given up, it is pinged no more; the call met one that was opened for it.
    assert text_of(call) == "1"
    assert server.count("refused") <= refused + 1


async def test_what_failed_several_times_is_not_tried_at_once(tenant: Tenant):
    server = ScriptedServer([tool("count")], era=STATELESS)
    async with server.listening() as url:
        await tenant.connect(url=url)
        request = await tenant.ask("effects/count")
        await tenant.run(asking(request, "talk"))
    ended = [await tenant.run(asking(request, f"talk {n}")) for n in range(FAILURES + 3)]

    assert {call.status for call in ended} == {tool_pb2.CALL_STATUS_FAILED}
    assert {call.reason for call in ended} == {"TOOL_UNREACHABLE"}


async def test_a_persons_calls_carry_that_persons_credential(
    tenant: Tenant, registry: Registry, server: ScriptedServer, place: str
):
    async def whose(called: Called) -> dict[str, Any]:
        return said(json.dumps(called.arguments))

    server.answer, server.token = whose, "anna-secret"
    await tenant.connect(url=place, personal_credentials=True)
    needs = await tenant.tools()
    connector = await tenant.connector()
    assert needs == {}
    assert connector.state == tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
    assert connector.fault == tool_pb2.FAULT_AUTH_NEEDED

    await lend(tenant, "anna", "anna-secret")
    await until(lambda: _lists(tenant))
    request = await tenant.ask("effects/count")
    ended: dict[str, tool_pb2.Call] = {}
    for person in ("anna", "ben"):
        asked = asking(request, person)
        asked.principal = person
        ended[person] = await tenant.run(asked)
    assert ended["anna"].reason == ""
    assert ended["ben"].reason == "CREDENTIAL_MISSING"

    await lend(tenant, "ben", "wrong")
    asked = asking(request, "ben")
    asked.principal = "ben"
    refused = await tenant.run(asked)
    assert refused.reason == "AUTH_REQUIRED"
    assert server.count("tools/call") == 1


async def test_what_a_person_lent_never_goes_to_another_server(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.token = "anna-secret"
    await tenant.connect(url=place, personal_credentials=True)
    assert await tenant.tools() == {}
    await lend(tenant, "anna", "anna-secret")
    await until(lambda: _lists(tenant))
    kept = await _lent(tenant)

    elsewhere = ScriptedServer([tool("count")])
    async with elsewhere.listening() as url:
        await tenant.connect(url=url, personal_credentials=True)
        await until(lambda: _lists(tenant))
        asked = asking(await tenant.ask("effects/count"), "anna")
        asked.principal = "anna"
        ended = await tenant.run(asked)
        forgotten = await _lent(tenant)

    assert (kept, forgotten) == (["anna"], [])
    assert ended.reason == "CREDENTIAL_MISSING"
    assert "Bearer anna-secret" in server.shown
    assert elsewhere.shown == {""}


async def _lent(tenant: Tenant) -> list[str]:
    listed = await tenant.registry.connectors.ListCredentials(
        pb.ListCredentialsRequest(connector="effects"), metadata=tenant.as_principal()
    )
    return [each.principal for each in listed.credentials]


async def lend(tenant: Tenant, person: str, token: str) -> None:
    credential = tool_pb2.Credential(
        connector="effects", headers={"authorization": f"Bearer {token}"}
    )
    await tenant.registry.connectors.SetCredential(
        pb.SetCredentialRequest(credential=credential),
        metadata=tenant.as_principal("member", person),
    )


async def _lists(tenant: Tenant) -> bool:
    return "effects/count" in await tenant.tools()
