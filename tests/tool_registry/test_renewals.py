"""Credentials that end: renewed by one, for all, before a call goes out; never lost to a race."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from tests.doubles.oauth_server import AuthorizationServer
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Registry, Tenant, text_of
from tests.tool_registry.signing import Person, guard, somebody
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2

OK, NEEDS_AUTH = tool_pb2.CONNECTOR_STATE_OK, tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
SUCCEEDED = tool_pb2.CALL_STATUS_SUCCEEDED
TWENTY = 20

Age = Callable[..., Awaitable[None]]


@pytest.fixture
async def ada(
    tenant: Tenant, server: ScriptedServer, place: str, issuer: AuthorizationServer
) -> Person:
    """An admin who is signed in for everybody."""
    guard(server, issuer, place)
    await tenant.connect(url=place)
    person = somebody(tenant)
    await person.sign_in(issuer)
    await until(lambda: _is(tenant, OK))
    return person


@pytest.fixture
def age(tenant: Tenant, superuser: asyncpg.Connection, issuer: AuthorizationServer) -> Age:
    """Has the credential end now, or only be due."""

    async def ends(*, expired: bool = True) -> None:
        await superuser.execute(
            "UPDATE credentials SET renew_at = now(), expires = CASE WHEN $2 THEN now()"
            " ELSE now() + interval '1 hour' END WHERE tenant = $1",
            tenant.id,
            expired,
        )
        # Nobody asks a server again that was asked a moment ago.
        await superuser.execute(
            "UPDATE connectors SET discovered_at = now() - interval '1 minute' WHERE tenant = $1",
            tenant.id,
        )
        if expired:
            issuer.end_access()

    return ends


async def test_t9_twenty_calls_at_expiry_ask_for_one_token(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, age: Age
):
    for renewals in (1, 2):  # the second time with the refresh token that the first one brought
        await age()

        calls = await asyncio.gather(*(_call(tenant) for _ in range(TWENTY)))

        assert {call.status for call in calls} == {SUCCEEDED}
        assert issuer.renewals == renewals
        assert await _refusals(ada) == [""]
        assert await _is(tenant, OK)


async def test_twenty_calls_that_are_refused_ask_for_one_token(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer
):
    await _call(tenant)
    issuer.end_access()

    calls = await asyncio.gather(*(_call(tenant) for _ in range(TWENTY)))

    assert {call.status for call in calls} == {SUCCEEDED}
    assert issuer.renewals == 1


async def test_a_credential_is_renewed_before_it_ends(
    ada: Person, tenant: Tenant, server: ScriptedServer, issuer: AuthorizationServer, age: Age
):
    await _call(tenant)
    refused = server.refused
    await age(expired=False)

    call = await _call(tenant)

    assert call.status == SUCCEEDED
    assert (issuer.renewals, server.refused) == (1, refused)


async def test_it_is_due_at_four_fifths_of_its_life(
    ada: Person, tenant: Tenant, superuser: asyncpg.Connection
):
    rows = await superuser.fetch(
        "SELECT extract(epoch FROM expires - updated)::int AS lasts,"
        " extract(epoch FROM renew_at - updated)::int AS due FROM credentials WHERE tenant = $1",
        tenant.id,
    )

    assert [dict(row) for row in rows] == [{"lasts": 3600, "due": 2880}]


async def test_two_replicas_at_expiry_ask_for_one_token(
    ada: Person, tenant: Tenant, other: Registry, issuer: AuthorizationServer, age: Age
):
    await age()
    issuer.gate.clear()
    elsewhere = tenant.on(other)

    calls = [asyncio.create_task(_call(each)) for each in (tenant, elsewhere) * 5]
    await until(lambda: issuer.renewals > 0)
    # Both are at it by the time that they have answered so much else.
    for _ in range(50):
        await asyncio.gather(tenant.connector(), elsewhere.connector())
    issuer.gate.set()

    assert {call.status for call in await asyncio.gather(*calls)} == {SUCCEEDED}
    assert issuer.renewals == 1


async def test_a_renewal_that_outlives_its_claim_loses_nothing(
    ada: Person,
    tenant: Tenant,
    other: Registry,
    issuer: AuthorizationServer,
    age: Age,
    superuser: asyncpg.Connection,
):
    await age()
    issuer.gate.clear()
    first = asyncio.create_task(_call(tenant))
    await until(lambda: issuer.renewals == 1)
    # As if the first one had been stopped for so long.
    await superuser.execute("UPDATE credentials SET renewal_until = now()")
    second = asyncio.create_task(_call(tenant.on(other)))
    await until(lambda: issuer.renewals == 2)

    # Both show the same refresh token; the server takes one, and refuses the other.
    issuer.gate.set()

    await asyncio.gather(first, second)
    assert (await _call(tenant)).status == SUCCEEDED
    await until(lambda: _refusals_are(ada, [""]))
    assert len(issuer.access) == 1


async def test_what_is_refused_is_judged_by_what_is_stored_by_then(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, age: Age
):
    await age()
    issuer.gate.clear()
    call = asyncio.create_task(_call(tenant))
    await until(lambda: issuer.renewals == 1)

    await ada.sign_in(issuer)
    issuer.refusal = "invalid_grant"
    issuer.gate.set()

    assert (await call).status == SUCCEEDED
    assert await _refusals(ada) == [""]


async def test_a_grant_that_is_taken_back_wants_a_sign_in_and_is_not_forgotten(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, age: Age
):
    await age()
    issuer.refusal = "invalid_grant"

    refused = await _call(tenant)

    assert refused.reason == "AUTH_REQUIRED"
    assert [need.url for need in refused.needs] == ["/api/v1/connectors/effects:login"]
    assert await _refusals(ada) == ["the authorization server says 'invalid_grant'"]
    await until(lambda: _is(tenant, NEEDS_AUTH))
    assert "invalid_grant" in (await tenant.connector()).state_reason
    again = await _call(tenant)
    assert (again.reason, issuer.renewals) == ("AUTH_REQUIRED", 1)

    issuer.refusal = ""
    await ada.sign_in(issuer)

    await until(lambda: _is(tenant, OK))
    assert (await _call(tenant)).status == SUCCEEDED


async def test_while_it_is_good_a_silent_authorization_server_stops_nothing(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, age: Age
):
    await age(expired=False)
    issuer.status = 503

    calls = [await _call(tenant) for _ in range(3)]

    assert {call.status for call in calls} == {SUCCEEDED}
    assert issuer.renewals == 1
    assert await _refusals(ada) == [""]


async def test_when_it_has_ended_a_silent_authorization_server_is_no_reason_to_sign_in(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, age: Age
):
    await age()
    issuer.status = 503

    away = await _call(tenant)
    issuer.status = 0
    back = await _call(tenant)

    assert away.reason == "TOOL_UNREACHABLE"
    assert back.status == SUCCEEDED
    assert await _refusals(ada) == [""]


async def test_a_conversation_keeps_its_session_when_the_credential_is_renewed(
    ada: Person, tenant: Tenant, server: ScriptedServer, issuer: AuthorizationServer, age: Age
):
    server.sessions = True
    sessions: list[str] = []
    server.answer = _noting(sessions)
    await tenant.connect(url=(await tenant.connector()).url, headers={"x-new": "1"})
    await until(lambda: _is(tenant, OK))
    await _call(tenant, conversation="talk")
    await age()

    after = await _call(tenant, conversation="talk")

    assert after.status == SUCCEEDED
    assert (len(sessions), len(set(sessions))) == (2, 1)
    assert issuer.renewals == 1


async def test_a_credential_that_cannot_be_renewed_serves_until_it_ends(
    ada: Person, tenant: Tenant, age: Age, superuser: asyncpg.Connection
):
    await superuser.execute("UPDATE credentials SET renewable = '' WHERE tenant = $1", tenant.id)
    assert (await _call(tenant)).status == SUCCEEDED

    await age()

    ended = await _call(tenant)
    assert ended.reason == "AUTH_REQUIRED"
    assert "cannot be renewed" in text_of(ended)


async def _call(tenant: Tenant, **others: Any) -> tool_pb2.Call:
    request = await tenant.ask("effects/one")
    for name, value in others.items():
        setattr(request, name, value)
    return await tenant.run(request)


def _noting(sessions: list[str]) -> Any:
    async def answer(called: Any) -> dict[str, Any]:
        sessions.append(called.session)
        return {"content": []}

    return answer


async def _refusals(person: Person) -> list[str]:
    return [credential.refusal for credential in await person.credentials()]


async def _refusals_are(person: Person, refusals: list[str]) -> bool:
    return await _refusals(person) == refusals


async def _is(tenant: Tenant, state: tool_pb2.ConnectorState) -> bool:
    return (await tenant.connector()).state == state
