"""Tokens that open one turn's events, for clients that cannot set a header."""

import asyncio
from typing import Any

import httpx

from tests.gateway.upstream import MEMBER_KEY, Upstream, texts

BODY: dict[str, Any] = {"agent": "helper", "input": "hello"}


async def test_a_stream_token_opens_its_turns_events_alone(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [*texts("a"), {"turn_finished": {}}]
    turn, other = [
        (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"] for _ in range(2)
    ]
    token = (await client.post(f"/api/v1/turns/{turn}:token")).json()["token"]
    client.headers.pop("authorization")

    async def get(path: str, token: str = token) -> httpx.Response:
        return await client.get(path, params={"token": token})

    opened = await get(f"/api/v1/turns/{turn}/events")
    assert opened.status_code == 200 and "event: turn.finished" in opened.text
    assert (await get(f"/api/v1/turns/{other}/events")).status_code == 401
    assert (await get(f"/api/v1/turns/{turn}")).status_code == 401
    assert (await get(f"/api/v1/turns/{turn}/events", token[:-2])).status_code == 401
    assert (await get(f"/api/v1/turns/{turn}/events", "é")).status_code == 401


async def test_a_stream_token_got_by_a_principal_token_names_the_principal(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [*texts("a"), {"turn_finished": {}}]
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]
    shown, _ = upstream.gatekeeper.token(MEMBER_KEY)
    client.headers["authorization"] = f"Bearer {shown}"
    token = (await client.post(f"/api/v1/turns/{turn}:token")).json()["token"]
    client.headers.pop("authorization")

    response = await client.get(f"/api/v1/turns/{turn}/events", params={"token": token})

    caller = upstream.runtime.callers[-1]
    principal, role, key = upstream.gatekeeper.principals[MEMBER_KEY]
    assert response.status_code == 200
    assert (caller.principal, caller.role, caller.key) == (principal, role, key)
    assert caller.service == "gateway"


async def test_a_stream_token_got_by_a_principal_token_ends_with_the_principal_s_key(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [*texts("a"), {"turn_finished": {}}]
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]
    key = upstream.gatekeeper.add_key()
    shown, _ = upstream.gatekeeper.token(key)
    client.headers["authorization"] = f"Bearer {shown}"
    token = (await client.post(f"/api/v1/turns/{turn}:token")).json()["token"]
    client.headers.pop("authorization")

    await upstream.gatekeeper.revoke(key)

    async with asyncio.timeout(15):
        while True:
            response = await client.get(f"/api/v1/turns/{turn}/events", params={"token": token})
            if response.status_code == 401:
                break


async def test_a_stream_token_ends_with_the_key_that_asked_for_it(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.runtime.script = [*texts("a"), {"turn_finished": {}}]
    key = upstream.gatekeeper.add_key()
    client.headers["authorization"] = f"Bearer {key}"
    turn = (await client.post("/api/v1/threads/t/turns", json=BODY)).json()["id"]
    token = (await client.post(f"/api/v1/turns/{turn}:token")).json()["token"]
    client.headers.pop("authorization")

    await upstream.gatekeeper.revoke(key)

    async with asyncio.timeout(15):
        while True:
            response = await client.get(f"/api/v1/turns/{turn}/events", params={"token": token})
            if response.status_code == 401:
                break
