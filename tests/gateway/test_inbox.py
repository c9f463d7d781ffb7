"""The stream of how many approvals wait."""

import httpx
import pytest

from tests.gateway.conftest import serve_gateway
from tests.gateway.frames import frames
from tests.gateway.upstream import Upstream

WATCH = "/api/v1/approvals:watch"


async def test_what_waits_is_streamed_at_once_and_at_each_change(
    upstream: Upstream, client: httpx.AsyncClient
):
    await upstream.runtime.wait(2, 1, "a-2")

    async with client.stream("GET", WATCH) as response:
        stream = frames(response)
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert await anext(stream) == "retry: 1000"
        assert await anext(stream) == (
            'event: inbox\ndata: {"type":"inbox","pending":2,"mine":1,"newest":"a-2"}'
        )
        # What is said again after a silence is not told again.
        await upstream.runtime.wait(2, 1, "a-2")
        await upstream.runtime.wait(0, 0)
        assert await anext(stream) == (
            'event: inbox\ndata: {"type":"inbox","pending":0,"mine":0,"newest":null}'
        )


async def test_the_stream_outlives_the_replica_that_serves_it(
    mortals: Upstream, monkeypatch: pytest.MonkeyPatch
):
    await mortals.runtime.wait(1, 1, "a")
    async with (
        serve_gateway(mortals, monkeypatch) as (_, client),
        client.stream("GET", WATCH) as response,
    ):
        stream = frames(response)
        await anext(stream)
        await anext(stream)
        await mortals.restart()
        await mortals.runtime.wait(3, 0, "c")
        assert '"pending":3' in await anext(stream)


async def test_a_stranger_is_told_nothing(upstream: Upstream, client: httpx.AsyncClient):
    response = await client.get(WATCH, headers={"authorization": "Bearer tpk_nobody"})

    assert (response.status_code, response.json()["reason"]) == (401, "UNAUTHENTICATED")


async def test_head_tells_what_get_would_be(upstream: Upstream, client: httpx.AsyncClient):
    await upstream.runtime.wait(0, 0)

    response = await client.head(WATCH)

    assert response.status_code == 200
    assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
