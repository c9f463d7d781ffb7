"""What authorization servers gave is given back once nobody wants it any more."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.doubles.oauth_server import AuthorizationServer
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Tenant
from tests.tool_registry.signing import Person, guard, somebody
from tests.waiting import until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2


@pytest.fixture
async def ada(
    tenant: Tenant, server: ScriptedServer, place: str, issuer: AuthorizationServer
) -> Person:
    """Somebody who has signed in at a server that takes tokens back."""
    issuer.revokes = True
    guard(server, issuer, place)
    await tenant.connect(url=place)
    person = somebody(tenant)
    await person.sign_in(issuer)
    return person


def given(issuer: AuthorizationServer) -> set[tuple[str, str]]:
    """Returns every token that is good, and what it is."""
    return {
        *((token, "refresh_token") for token in issuer.refresh),
        *((token, "access_token") for token in issuer.access),
    }


async def forget(ada: Person) -> None:
    request = pb.DeleteCredentialRequest(connector="effects", shared=True)
    await ada.tenant.registry.connectors.DeleteCredential(request, metadata=ada.metadata)


async def remove(ada: Person) -> None:
    request = pb.DeleteConnectorRequest(name="effects")
    await ada.tenant.registry.connectors.DeleteConnector(request, metadata=ada.metadata)


async def move(ada: Person) -> None:
    await ada.tenant.connect(url="http://127.0.0.1:9/mcp")


@pytest.mark.parametrize("end", [forget, remove, move], ids=lambda end: end.__name__)
async def test_tokens_are_given_back_when_their_credential_is_deleted(
    ada: Person, issuer: AuthorizationServer, superuser: asyncpg.Connection, end: Any
):
    before = given(issuer)
    assert len(before) == 2

    await end(ada)

    await until(lambda: not given(issuer))
    assert sorted(issuer.returned) == sorted(before)
    await until(lambda: _is_settled(superuser, ada.tenant))


async def test_whoever_signs_in_anew_gives_the_old_tokens_back_and_keeps_the_new_ones(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    before = given(issuer)

    await ada.sign_in(issuer)
    new = given(issuer) - before

    await until(lambda: given(issuer) == new)
    assert len(new) == 2
    await until(lambda: _is_settled(superuser, tenant))
    assert sorted(issuer.returned) == sorted(before)


async def test_a_token_that_is_given_again_is_not_given_back(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    issuer.repeats = True
    before = given(issuer)

    await ada.sign_in(issuer)

    await until(lambda: _is_settled(superuser, tenant))
    assert issuer.returned == []
    assert before < given(issuer)


async def test_a_server_that_is_away_is_told_later(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    issuer.away = 1
    await forget(ada)
    await until(lambda: bool(issuer.returned))
    assert len(given(issuer)) == 2

    await superuser.execute("UPDATE revocations SET due = now() WHERE tenant = $1", tenant.id)

    await until(lambda: not given(issuer))
    await until(lambda: _is_settled(superuser, tenant))


async def test_what_a_renewal_brings_too_late_is_given_back_too(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    """The credential is deleted while its renewal is under way."""
    await until(lambda: _is_ok(tenant))
    request = await tenant.ask("effects/one")
    await superuser.execute("UPDATE credentials SET renew_at = now() WHERE tenant = $1", tenant.id)
    issuer.gate.clear()
    call = asyncio.create_task(tenant.run(request))
    await until(lambda: issuer.renewals == 1)
    # Else the old token may be gone before it is shown.
    issuer.away = 1000

    await forget(ada)
    issuer.gate.set()
    await call

    new = given(issuer)
    issuer.away = 0
    await superuser.execute("UPDATE revocations SET due = now() WHERE tenant = $1", tenant.id)
    await until(lambda: not given(issuer))
    assert len(new) == 3
    assert new <= set(issuer.returned)


async def test_a_server_that_takes_nothing_back_is_not_asked_to(
    tenant: Tenant,
    server: ScriptedServer,
    place: str,
    issuer: AuthorizationServer,
    superuser: asyncpg.Connection,
):
    guard(server, issuer, place)
    await tenant.connect(url=place)
    ada = somebody(tenant)
    await ada.sign_in(issuer)

    await forget(ada)

    assert await _is_settled(superuser, tenant)


async def _is_ok(tenant: Tenant) -> bool:
    return (await tenant.connector()).state == tool_pb2.CONNECTOR_STATE_OK


async def _is_settled(superuser: asyncpg.Connection, tenant: Tenant) -> bool:
    count = "SELECT count(*) FROM revocations WHERE tenant = $1"
    return await superuser.fetchval(count, tenant.id) == 0
