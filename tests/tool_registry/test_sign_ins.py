"""Persons sign in to connectors: discovery, consent, the code's exchange, and who is refused."""

from collections.abc import AsyncGenerator

import pytest

from tests.doubles.oauth_server import AuthorizationServer, serving_authorization
from tests.doubles.scripted_mcp import ScriptedServer
from tests.tool_registry.serving import Tenant, text_of
from tests.tool_registry.signing import BACK, guard, somebody
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2

OK, NEEDS_AUTH = tool_pb2.CONNECTOR_STATE_OK, tool_pb2.CONNECTOR_STATE_NEEDS_AUTH
DONE, FAILED = tool_pb2.SIGN_IN_STATE_DONE, tool_pb2.SIGN_IN_STATE_FAILED


@pytest.fixture
async def issuer() -> AsyncGenerator[AuthorizationServer]:
    """Who gives out tokens."""
    async with serving_authorization() as serving:
        yield serving


async def test_a_sign_in_lets_a_connector_be_discovered_and_called(
    tenant: Tenant, server: ScriptedServer, place: str, issuer: AuthorizationServer
):
    guard(server, issuer, place)
    await tenant.connect(url=place)
    await until(lambda: _is(tenant, NEEDS_AUTH))

    signed_in = await somebody(tenant).sign_in(issuer)

    assert (signed_in.state, signed_in.issuer) == (DONE, issuer.url)
    await until(lambda: _is(tenant, OK))
    call = await tenant.run(await tenant.ask("effects/one"))
    assert text_of(call) == "one"
    (asked,) = issuer.asked
    assert (asked.resource, str(asked.redirect_uri)) == (place, BACK)


async def _is(tenant: Tenant, state: tool_pb2.ConnectorState) -> bool:
    return (await tenant.connector()).state == state
