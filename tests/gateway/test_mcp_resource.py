"""Whom `/mcp` sends clients to that have no credential."""

import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.upstream import Upstream

ISSUER = "https://id.example.com/realms/a"
WELL_KNOWN = "/.well-known/oauth-protected-resource"


async def refused(client: httpx.AsyncClient, **headers: str) -> str:
    """Returns the challenge of a call without a credential, or with a wrong one."""
    answer = await client.post("/mcp", json={}, headers={"authorization": "", **headers})
    assert (answer.status_code, answer.json()["reason"]) == (401, "UNAUTHENTICATED")
    return answer.headers["www-authenticate"]


async def test_a_stranger_is_told_who_gives_out_credentials(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    async with serve_gateway(upstream, monkeypatch, mcp_issuers=[ISSUER]) as (_, client):
        base = str(client.base_url)
        place = f"{base}{WELL_KNOWN}/mcp"

        assert await refused(client) == f'Bearer resource_metadata="{place}"'
        wrong = await refused(client, authorization="Bearer tpk_" + "x" * 22)
        assert wrong == f'Bearer error="invalid_token", resource_metadata="{place}"'
        for suffix in ("/mcp", ""):
            async with httpx.AsyncClient(base_url=base) as stranger:
                told = await stranger.get(f"{WELL_KNOWN}{suffix}")
            assert told.status_code == 200
            assert told.json() == {
                "resource": f"{base}{suffix}",
                "resource_name": "Turnpike",
                "authorization_servers": [ISSUER],
                "bearer_methods_supported": ["header"],
            }
        # Keys of the suite's own are for everything else.
        assert (await client.get("/api/v1/turns", headers={"authorization": ""})).headers[
            "www-authenticate"
        ] == "Bearer"


async def test_the_resource_is_where_browsers_reach_it(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
):
    public = "https://turnpike.example.com/ai/"
    async with serve_gateway(upstream, monkeypatch, mcp_issuers=[ISSUER], public_url=public) as (
        _,
        client,
    ):
        told = (await client.get(f"{WELL_KNOWN}/mcp")).json()
        challenge = await refused(client)

    assert told["resource"] == "https://turnpike.example.com/ai/mcp"
    assert f'"https://turnpike.example.com/ai{WELL_KNOWN}/mcp"' in challenge


async def test_where_nobody_gives_out_credentials_nobody_is_told(client: httpx.AsyncClient):
    assert await refused(client) == "Bearer"
    for suffix in ("/mcp", ""):
        assert (await client.get(f"{WELL_KNOWN}{suffix}")).status_code == 404
