"""Signing in to a connector through the gateway: by the command line, and in a browser."""

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from html import unescape
from typing import Any

import httpx
import pytest

from tests.doubles.oauth_server import AuthorizationServer, protected, serving_authorization
from tests.doubles.scripted_mcp import ScriptedServer, tool
from tests.e2e.edge import Edge
from tests.e2e.suite import TURNPIKE, Suite
from tests.waiting import until


@pytest.fixture
async def issuer() -> AsyncGenerator[AuthorizationServer]:
    """Who gives out tokens."""
    async with serving_authorization() as serving:
        yield serving


@pytest.fixture
async def connector(edge: Edge, issuer: AuthorizationServer, tag: str) -> AsyncGenerator[str]:
    """A connector whose server lets in nobody without a token."""
    server = ScriptedServer([tool("one")])
    async with server.listening() as place:
        server.accepts, server.documents = issuer.accepts, protected(issuer, place)
        await edge.call("PUT", f"/connectors/{tag}", {"transport": "http", "url": place})
        yield tag


async def test_the_command_line_waits_for_the_browser(
    suite: Suite, edge: Edge, issuer: AuthorizationServer, connector: str
):
    arguments = ("connectors", "login", connector, "--shared", "--no-browser", "--json")
    login = await asyncio.create_subprocess_exec(
        *(TURNPIKE, *arguments, "--url", suite.url, "--key", suite.key),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    assert login.stderr is not None
    told = json.loads(await login.stderr.readline())

    async with httpx.AsyncClient(follow_redirects=True) as browser:
        asked = await browser.get(told["url"])
        assert "Go on only if it was you" in asked.text
        assert connector in asked.text
        ended = await browser.post(f"{suite.url}/api/v1/oauth/callback", data=_fields(asked.text))
        again = await browser.post(f"{suite.url}/api/v1/oauth/callback", data=_fields(asked.text))

    assert "is connected" in ended.text
    assert ended.headers["x-frame-options"] == "DENY"
    assert again.status_code == 409
    printed, _ = await login.communicate()
    assert login.returncode == 0
    assert json.loads(printed)["state"] == "DONE"
    await until(lambda: _is_ok(edge, connector))
    (kept,) = (await edge.call("GET", f"/connectors/{connector}/credentials"))["credentials"]
    assert (kept["principal"], kept["issuer"]) == ("", issuer.url)


async def test_a_browser_ends_what_it_began_and_no_other_does(
    suite: Suite, issuer: AuthorizationServer, connector: str
):
    async with httpx.AsyncClient(base_url=suite.url) as browser:
        session = await browser.post("/api/v1/session", json={"key": suite.key})
        csrf = {"x-csrf-token": session.json()["csrf_token"]}
        begun = await browser.post(f"/api/v1/connectors/{connector}:login", json={}, headers=csrf)
        back = await issuer.visit(begun.json()["url"])
        async with httpx.AsyncClient(base_url=suite.url) as stranger:
            elsewhere = await stranger.get("/api/v1/oauth/callback", params=back)
        here = await browser.get("/api/v1/oauth/callback", params=back)
        stands = await browser.get(f"/api/v1/sign-ins/{begun.json()['id']}")

    assert elsewhere.status_code == 403
    assert (here.status_code, stands.json()["state"]) == (200, "DONE")


async def test_a_state_that_the_gateway_did_not_make_is_none(suite: Suite):
    async with httpx.AsyncClient(base_url=suite.url) as browser:
        answers = [
            await browser.get("/api/v1/oauth/callback", params={"state": "x" * 40, "code": "y"}),
            await browser.get("/api/v1/oauth/callback"),
            await browser.post("/api/v1/oauth/callback", data={"state": "x" * 40, "code": "y"}),
        ]

    assert [answer.status_code for answer in answers] == [400, 400, 400]


def _fields(text: str) -> dict[str, str]:
    found: list[Any] = re.findall(r'name="(\w+)" value="([^"]*)"', text)
    return {name: unescape(value) for name, value in found}


async def _is_ok(edge: Edge, name: str) -> bool:
    return (await edge.call("GET", f"/connectors/{name}"))["state"] == "OK"
