"""Sessions of browsers."""

import asyncio

import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.upstream import MEMBER_KEY, Upstream
from turnpike.api.agent_runtime.v1.thread_service_pb2 import CreateThreadResponse


@pytest.fixture
def browser(upstream: Upstream, client: httpx.AsyncClient) -> httpx.AsyncClient:
    upstream.other.answers["CreateThread"] = CreateThreadResponse()
    client.headers.pop("authorization")
    return client


async def begin(browser: httpx.AsyncClient, key: str = MEMBER_KEY) -> httpx.Response:
    return await browser.post("/api/v1/session", json={"key": key})


async def test_a_session_hides_the_key(browser: httpx.AsyncClient):
    response = await begin(browser)

    cookies = {
        cookie.partition("=")[0]: cookie for cookie in response.headers.get_list("set-cookie")
    }
    assert response.status_code == 200
    assert response.json().keys() == {"csrf_token", "expires"}
    assert "HttpOnly" in cookies["turnpike_session"]
    assert "HttpOnly" not in cookies["turnpike_csrf"]
    assert all("SameSite=strict" in cookie for cookie in cookies.values())
    assert MEMBER_KEY not in str(response.headers) + response.text


async def test_a_session_reads_freely_and_writes_with_its_token(browser: httpx.AsyncClient):
    token = (await begin(browser)).json()["csrf_token"]

    read = await browser.get("/api/v1/turns")
    bare = await browser.post("/api/v1/threads", json={})
    wrong = await browser.post("/api/v1/threads", json={}, headers={"x-csrf-token": "another"})
    right = await browser.post("/api/v1/threads", json={}, headers={"x-csrf-token": token})

    assert (read.status_code, right.status_code) == (200, 201)
    assert (bare.status_code, bare.json()["reason"]) == (403, "FORBIDDEN")
    assert wrong.status_code == 403


async def test_a_wrong_key_begins_no_session(browser: httpx.AsyncClient):
    for key in ("tpk_nobody-aaaaaaaaaaaaaaaaaaa", "x", "é"):
        response = await begin(browser, key)

        assert response.status_code == 401
        assert "set-cookie" not in response.headers


async def test_ending_a_session_forgets_it(browser: httpx.AsyncClient):
    token = (await begin(browser)).json()["csrf_token"]

    refused = await browser.delete("/api/v1/session")
    ended = await browser.delete("/api/v1/session", headers={"x-csrf-token": token})
    after = await browser.get("/api/v1/turns")
    again = await browser.delete("/api/v1/session")

    assert [r.status_code for r in (refused, ended, after, again)] == [403, 204, 401, 204]


async def test_a_revoked_key_ends_its_sessions(upstream: Upstream, browser: httpx.AsyncClient):
    key = upstream.gatekeeper.add_key()
    await begin(browser, key)

    await upstream.gatekeeper.revoke(key)

    async with asyncio.timeout(15):
        while (await browser.get("/api/v1/turns")).status_code != 401:
            pass


async def test_every_replica_knows_a_session(
    upstream: Upstream, browser: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
):
    await begin(browser)
    async with serve_gateway(upstream, monkeypatch) as (_, other):
        other.headers.pop("authorization")
        cookie = f"turnpike_session={browser.cookies['turnpike_session']}"

        known = await other.get("/api/v1/turns", headers={"cookie": cookie})
        forged = await other.get("/api/v1/turns", headers={"cookie": cookie + "x"})

    assert (known.status_code, forged.status_code) == (200, 401)


async def test_a_session_expires(upstream: Upstream, monkeypatch: pytest.MonkeyPatch):
    async with serve_gateway(upstream, monkeypatch, session_lifetime=0.001) as (_, browser):
        browser.headers.pop("authorization")
        cookie = (await begin(browser)).headers.get_list("set-cookie")[0].partition(";")[0]

        async with asyncio.timeout(15):
            while True:
                response = await browser.get("/api/v1/turns", headers={"cookie": cookie})
                if response.status_code == 401:
                    break
