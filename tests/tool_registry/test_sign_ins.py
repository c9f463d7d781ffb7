"""Persons sign in to connectors: discovery, consent, the code's exchange, and who is refused."""

import asyncio
from typing import Any

import asyncpg
import pytest
from mcp.shared.auth import OAuthClientInformationFull
from pydantic import AnyUrl

from tests.conftest import Keys
from tests.doubles.oauth_server import AuthorizationServer
from tests.doubles.scripted_mcp import ScriptedServer, tool
from tests.tool_registry.serving import Tenant, serving, settings_for, text_of
from tests.tool_registry.signing import BACK, Person, guard, somebody
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls

OK, NEEDS_AUTH = tool_pb2.CONNECTOR_STATE_OK, tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
DONE, FAILED = tool_pb2.SIGN_IN_STATE_DONE, tool_pb2.SIGN_IN_STATE_FAILED
# No address that anybody may name, whatever the operator allows.
METADATA = "http://169.254.169.254"


@pytest.fixture
async def ada(tenant: Tenant, server: ScriptedServer, place: str, issuer: AuthorizationServer):
    """An admin of a tenant with a connector that wants a sign-in."""
    guard(server, issuer, place)
    await tenant.connect(url=place)
    return somebody(tenant)


async def test_a_sign_in_lets_a_connector_be_discovered_and_called(
    ada: Person, tenant: Tenant, place: str, issuer: AuthorizationServer
):
    await until(lambda: _is(tenant, NEEDS_AUTH))

    signed_in = await ada.sign_in(issuer)

    assert (signed_in.state, signed_in.issuer) == (DONE, issuer.url)
    await until(lambda: _is(tenant, OK))
    call = await tenant.run(await tenant.ask("effects/one"))
    assert text_of(call) == "one"
    (asked,) = issuer.asked
    assert (asked.resource, str(asked.redirect_uri)) == (place, BACK)


async def test_a_person_s_own_sign_in_serves_that_person_s_calls_alone(
    tenant: Tenant, server: ScriptedServer, place: str, issuer: AuthorizationServer
):
    guard(server, issuer, place)
    await tenant.connect(url=place, personal_credentials=True)
    bob, eve = somebody(tenant, "member"), somebody(tenant, "member")
    await bob.sign_in(issuer, shared=False)
    await until(lambda: _is(tenant, OK))
    request = await tenant.ask("effects/one")

    own = await tenant.run(_for(request, bob))
    other = await tenant.run(_for(request, eve))

    assert text_of(own) == "one"
    assert other.reason == "CREDENTIAL_MISSING"
    assert (await refusal(bob.start(shared=True))).reason == "FORBIDDEN"


async def test_signing_in_anew_keeps_what_was_approved_and_the_client(
    ada: Person, tenant: Tenant, server: ScriptedServer, issuer: AuthorizationServer
):
    await ada.sign_in(issuer)
    await until(lambda: _is(tenant, OK))
    server.tools.append(tool("two"))
    before = (await tenant.tools())["effects/one"].digest

    await ada.sign_in(issuer)

    await until(lambda: _has(tenant, "effects/two"))
    tools = await tenant.tools()
    assert (tools["effects/one"].state, tools["effects/one"].digest) == ("OK", before)
    assert tools["effects/two"].state == "QUARANTINED"
    assert issuer.registrations == 1


async def test_what_a_credential_falls_short_of_is_asked_for_next(
    ada: Person, tenant: Tenant, server: ScriptedServer, issuer: AuthorizationServer
):
    issuer.changed = {"scopes_supported": ["read"]}
    await ada.sign_in(issuer)
    await until(lambda: _is(tenant, OK))
    server.wants = "write"

    refused = await tenant.run(await tenant.ask("effects/one"))
    server.wants = ""
    await ada.sign_in(issuer)

    assert refused.reason == "AUTH_REQUIRED"
    assert issuer.renewals == 0
    assert [asked.scopes for asked in issuer.asked] == [["read"], ["read", "write"]]


async def test_nothing_secret_is_stored_in_the_clear(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    await ada.start()
    await ada.sign_in(issuer)

    secrets = [*issuer.access, *issuer.refresh]
    secrets += [client.client_secret or "" for client in issuer.clients.values()]
    secrets += [asked.code_challenge for asked in issuer.asked]
    for table in ("credentials", "sign_ins", "oauth_clients"):
        rows = await superuser.fetch(f"SELECT t::text AS said FROM {table} t")
        assert rows
        assert not [row for row in rows for secret in secrets if secret and secret in row["said"]]


async def test_a_state_is_used_once_and_by_who_began_it(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer
):
    back = await issuer.visit((await ada.start()).authorization_url)

    foreign = await refusal(somebody(tenant).finish(back))
    elsewhere = await refusal(somebody(tenant.registry.new_tenant()).finish(back))
    ended = await ada.finish(back)
    again = await refusal(ada.finish(back))

    assert {foreign.reason, elsewhere.reason, again.reason} == {"SIGN_IN_INVALID"}
    assert ended.state == DONE
    assert issuer.exchanges == 1


async def test_of_two_browsers_with_one_state_one_is_let_through(
    ada: Person, issuer: AuthorizationServer
):
    back = await issuer.visit((await ada.start()).authorization_url)

    ends = await asyncio.gather(*(ada.finish(back) for _ in range(4)), return_exceptions=True)

    assert sum(not isinstance(end, BaseException) for end in ends) == 1
    assert issuer.exchanges == 1


async def test_a_sign_in_that_fails_and_the_deletion_of_its_connector_wait_in_one_order(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    back = await issuer.visit((await ada.start()).authorization_url)
    issuer.clients.clear()
    delete = pb.DeleteConnectorRequest(name="effects")
    async with superuser.transaction():
        await superuser.execute("SELECT FROM oauth_clients WHERE tenant = $1 FOR UPDATE", tenant.id)
        ending = asyncio.ensure_future(ada.finish(back))
        await until(lambda: _waits(superuser, "DELETE FROM oauth_clients"))
        deleting = asyncio.ensure_future(
            tenant.registry.connectors.DeleteConnector(delete, metadata=ada.metadata)
        )
        await until(lambda: _waits(superuser, "DELETE FROM connectors"))

    assert (await ending).state == FAILED
    await deleting


async def test_a_sign_in_whose_connector_is_deleted_meanwhile_ends_nothing_but_itself(
    ada: Person,
    tenant: Tenant,
    place: str,
    issuer: AuthorizationServer,
    urls: MigrationUrls,
    keys: Keys,
    monkeypatch: pytest.MonkeyPatch,
):
    """As it begins, and as it is refused: while the authorization server is asked."""
    back = await issuer.visit((await ada.start()).authorization_url)
    delete = pb.DeleteConnectorRequest(name="effects")

    async def deleted(*_: object) -> None:
        stub = tenant.registry.connectors
        await stub.DeleteConnector(delete, metadata=ada.metadata)

    async with serving(settings_for(urls, keys), keys) as replica:
        there = tenant.on(replica)
        monkeypatch.setattr(issuer, "get_client", deleted)
        ending = await refusal(ada.on(replica).finish(back))
        # It goes on to serve.
        await there.connect(url=place)
        monkeypatch.setattr(issuer, "register_client", deleted)
        beginning = await refusal(ada.on(replica).start())

    assert (ending.reason, beginning.reason) == ("SIGN_IN_INVALID", "NOT_FOUND")


async def test_a_state_is_good_for_ten_minutes(
    ada: Person, issuer: AuthorizationServer, superuser: asyncpg.Connection
):
    started = await ada.start()
    back = await issuer.visit(started.authorization_url)
    await superuser.execute("UPDATE sign_ins SET expires = now() WHERE id = $1", started.sign_in.id)

    late = await refusal(ada.finish(back))

    assert late.reason == "SIGN_IN_INVALID"
    stands = (await _get(ada, started.sign_in.id)).sign_in
    assert (stands.state, stands.reason) == (FAILED, "EXPIRED")


@pytest.mark.parametrize(
    ("back", "reason"),
    [
        ({"iss": "https://elsewhere.example"}, "ISSUER_MISMATCH"),
        ({"iss": ""}, "ISSUER_MISMATCH"),
        ({"code": "made-up"}, "TOKEN_REFUSED"),
        ({"code": ""}, "TOKEN_REFUSED"),
        ({"code": "", "error": "access_denied"}, "ACCESS_DENIED"),
    ],
    ids=["foreign-issuer", "no-issuer", "wrong-code", "no-code", "denied"],
)
async def test_what_the_browser_brings_is_checked(
    ada: Person, issuer: AuthorizationServer, back: dict[str, str], reason: str
):
    brought = await issuer.visit((await ada.start()).authorization_url)

    ended = await ada.finish({**brought, **back})

    assert (ended.state, ended.reason) == (FAILED, reason)
    assert issuer.exchanges == 0
    assert await ada.credentials() == []


async def test_a_credential_is_never_for_a_server_that_took_the_connector_s_place(
    ada: Person, tenant: Tenant, issuer: AuthorizationServer
):
    back = await issuer.visit((await ada.start()).authorization_url)
    await tenant.connect(url="http://127.0.0.1:1/mcp")

    ended = await ada.finish(back)

    assert (ended.state, ended.reason) == (FAILED, "CONNECTOR_CHANGED")
    assert await ada.credentials() == []


@pytest.mark.parametrize(
    ("changed", "published", "cause"),
    [
        ({"code_challenge_methods_supported": None}, {}, "PKCE_UNSUPPORTED"),
        ({"code_challenge_methods_supported": ["plain"]}, {}, "PKCE_UNSUPPORTED"),
        ({"issuer": "https://elsewhere.example"}, {}, "ISSUER_MISMATCH"),
        ({"token_endpoint": f"{METADATA}/token"}, {}, "ADDRESS_REFUSED"),
        ({"authorization_endpoint": f"{METADATA}/authorize"}, {}, "ADDRESS_REFUSED"),
        ({"authorization_endpoint": "ftp://example.com"}, {}, "NO_AUTHORIZATION_SERVER"),
        ({"registration_endpoint": f"{METADATA}/register"}, {}, "ADDRESS_REFUSED"),
        ({"registration_endpoint": None}, {}, "CLIENT_REFUSED"),
        ({}, {"authorization_servers": [METADATA]}, "ADDRESS_REFUSED"),
        ({}, {"authorization_servers": ["http://127.0.0.1:1"]}, "UNREACHABLE"),
        ({}, {"resource": "http://elsewhere.example/mcp"}, "RESOURCE_MISMATCH"),
        ({}, {"authorization_servers": []}, "NO_AUTHORIZATION_SERVER"),
    ],
    ids=[
        "no-pkce",
        "plain-pkce",
        "issuer",
        "token-address",
        "page-address",
        "page-scheme",
        "registration-address",
        "no-registration",
        "issuer-address",
        "issuer-away",
        "resource",
        "no-issuer",
    ],
)
async def test_who_cannot_be_trusted_is_not_gone_to(
    tenant: Tenant,
    server: ScriptedServer,
    place: str,
    issuer: AuthorizationServer,
    changed: dict[str, Any],
    published: dict[str, Any],
    cause: str,
):
    issuer.changed = changed
    guard(server, issuer, place, **published)
    await tenant.connect(url=place)

    refused = await refusal(somebody(tenant).start())

    assert (refused.reason, refused.metadata["cause"]) == ("SIGN_IN_IMPOSSIBLE", cause)
    assert not issuer.asked


async def test_where_metadata_is_said_to_be_is_vetted_too(ada: Person, server: ScriptedServer):
    server.challenge = f'Bearer resource_metadata="{METADATA}/latest"'

    refused = await refusal(ada.start())

    assert refused.metadata["cause"] == "ADDRESS_REFUSED"


async def test_a_client_document_goes_before_registration(ada: Person, issuer: AuthorizationServer):
    document = "https://turnpike.example.com/api/v1/oauth/client.json"
    issuer.changed = {"client_id_metadata_document_supported": True}
    issuer.clients[document] = _client(document)

    started = await ada.start(client_metadata_url=document)
    ended = await ada.finish(await issuer.visit(started.authorization_url))

    assert ended.state == DONE
    assert issuer.registrations == 0


async def test_the_operator_s_client_goes_before_everything(
    urls: MigrationUrls, keys: Keys, place: str, server: ScriptedServer, issuer: AuthorizationServer
):
    issuer.clients["ours"] = _client("ours", client_secret="hush", method="client_secret_basic")
    given = {issuer.url: {"client_id": "ours", "client_secret": "hush"}}
    guard(server, issuer, place)
    async with serving(settings_for(urls, keys, oauth_clients=given), keys) as registry:
        tenant = registry.new_tenant()
        await tenant.connect(url=place)

        ended = await somebody(tenant).sign_in(issuer)

    assert ended.state == DONE
    assert issuer.registrations == 0


async def test_a_credential_is_set_for_the_connector_that_was_looked_at(tenant: Tenant, place: str):
    seen = await tenant.connect(url=place, personal_credentials=True)
    await tenant.connect(url="http://127.0.0.1:1/mcp", personal_credentials=True)
    credential = tool_pb2.Credential(connector="effects", headers={"authorization": "Bearer x"})
    connectors = tenant.registry.connectors

    refused = await refusal(
        connectors.SetCredential(
            pb.SetCredentialRequest(credential=credential, etag=seen.etag),
            metadata=tenant.as_principal(),
        )
    )

    assert refused.reason == "ETAG_MISMATCH"
    assert await somebody(tenant).credentials() == []


async def test_a_credential_that_comes_while_tools_are_read_has_them_read_again(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.token, server.held = "good", asyncio.Event()
    bob = somebody(tenant, "member")
    await tenant.connect(url=place, personal_credentials=True)
    await until(lambda: _is(tenant, NEEDS_AUTH))
    await _set(bob, "good")
    await until(lambda: server.count("tools/list") == 1)
    server.token = "better"

    await _set(bob, "better")
    server.held.set()

    await until(lambda: server.count("tools/list") >= 2)
    await until(lambda: _is(tenant, OK))


def _client(identity: str, client_secret: str | None = None, method: str = "none"):
    return OAuthClientInformationFull(
        client_id=identity,
        client_secret=client_secret,
        token_endpoint_auth_method=method,
        redirect_uris=[AnyUrl(BACK)],
    )


def _for(request: Any, person: Person) -> Any:
    request.principal = person.id
    request.ordinal += 1
    return request


async def _set(person: Person, token: str) -> None:
    credential = tool_pb2.Credential(
        connector="effects", headers={"authorization": f"Bearer {token}"}
    )
    await person.tenant.registry.connectors.SetCredential(
        pb.SetCredentialRequest(credential=credential), metadata=person.metadata
    )


async def _get(person: Person, identity: str) -> pb.GetSignInResponse:
    connectors = person.tenant.registry.connectors
    return await connectors.GetSignIn(pb.GetSignInRequest(id=identity), metadata=person.metadata)


async def _is(tenant: Tenant, state: tool_pb2.ConnectorState) -> bool:
    return (await tenant.connector()).state == state


async def _has(tenant: Tenant, name: str) -> bool:
    return name in await tenant.tools()


async def _waits(superuser: asyncpg.Connection, statement: str) -> bool:
    await superuser.execute("SELECT pg_stat_clear_snapshot()")
    return await superuser.fetchval(
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        " AND starts_with(query, $1))",
        statement,
    )
