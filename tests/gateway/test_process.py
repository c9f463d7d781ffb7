"""The gateway as a process: it starts, says whether it is ready, and drains."""

import asyncio
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.gateway.conftest import settings_for
from tests.gateway.upstream import ADMIN_KEY, Upstream, texts
from tests.ports import free_port


@asynccontextmanager
async def process(
    upstream: Upstream, **more: Any
) -> AsyncGenerator[tuple[Process, httpx.AsyncClient]]:
    """Runs `python -m turnpike.gateway` while inside."""
    port = free_port()
    settings = settings_for(
        upstream, drain_time=0.1, grace_time=2, **{"listen_address": f"127.0.0.1:{port}", **more}
    )
    gateway = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "turnpike.gateway",
        env={**os.environ, **settings},
        stderr=asyncio.subprocess.PIPE,
    )
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=20
        ) as client:
            yield gateway, client
    finally:
        if gateway.returncode is None:
            gateway.kill()
        await gateway.communicate()


async def until_ready(client: httpx.AsyncClient) -> httpx.Response:
    async with asyncio.timeout(60):
        while True:
            try:
                response = await client.get("/readyz")
            except httpx.ConnectError:
                continue
            if response.status_code == 200:
                return response


async def test_a_process_serves_and_drains(upstream: Upstream):
    upstream.runtime.script = list(texts("a"))
    body = {"agent": "helper", "input": "hi"}
    async with process(upstream) as (gateway, client):
        ready = await until_ready(client)
        health = await client.get("/healthz")
        root = await client.get("/")
        document = await client.get("/openapi.json")
        docs = await client.get("/docs")

        async with client.stream("POST", "/api/v1/turns:run", json=body) as response:
            text = response.aiter_text()
            assert "retry: 1000" in await anext(text)
            metrics = await client.get("/metrics")
            gateway.send_signal(signal.SIGTERM)
            rest = "".join([chunk async for chunk in text])

        async with asyncio.timeout(30):
            _, logged = await gateway.communicate()

    assert ready.json()["peers"] == {
        "gatekeeper": True,
        "agent-runtime": True,
        "tool-registry": True,
        "embedding": True,
    }
    assert (health.status_code, root.status_code, docs.status_code) == (200, 200, 200)
    assert "default-src 'none'" in root.headers["content-security-policy"]
    assert "<script defer src=" in root.text
    assert "/api/v1/turns:run" in document.json()["paths"]
    assert "turnpike_gateway_streams 1.0" in metrics.text
    assert rest.endswith(": draining, connect again\n\n")
    assert gateway.returncode == 0
    assert ADMIN_KEY.encode() not in logged


async def test_a_process_without_peers_is_not_ready(upstream: Upstream):
    nowhere = f"ipv4:127.0.0.1:{free_port()}"
    async with process(upstream, gatekeeper_target=nowhere) as (_, client):
        async with asyncio.timeout(60):
            while True:
                try:
                    response = await client.get("/readyz")
                    break
                except httpx.ConnectError:
                    continue
        refused = await client.get("/api/v1/threads")

    assert response.status_code == 503
    assert response.json()["peers"]["gatekeeper"] is False
    assert (refused.status_code, refused.json()["reason"]) == (503, "UNAVAILABLE")


@pytest.mark.parametrize("taken", ["listen_address", "metrics_address"])
async def test_a_port_that_is_taken_gives_one_line(upstream: Upstream, taken: str):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        async with process(upstream, **{taken: address}) as (gateway, _):
            async with asyncio.timeout(60):
                _, stderr = await gateway.communicate()

    lines = [line for line in stderr.decode().splitlines() if not line.startswith("{")]
    assert gateway.returncode == 1
    assert lines == [f"error: cannot listen on {address}: Address already in use"]


async def test_wrong_settings_are_named_without_their_values(upstream: Upstream):
    async with process(upstream, signing_key="secret") as (gateway, _):
        async with asyncio.timeout(60):
            _, stderr = await gateway.communicate()

    assert gateway.returncode == 1
    assert b"signing_key" in stderr.lower() and b"secret" not in stderr
    assert b"Traceback" not in stderr
