import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from tests.conftest import Keys
from tests.gateway.upstream import ADMIN_KEY, Upstream, serve_upstream
from turnpike.gateway.__main__ import Gateway, opened
from turnpike.gateway.serving import bind
from turnpike.gateway.settings import Settings


def settings_for(upstream: Upstream, **more: Any) -> dict[str, str]:
    """Returns a gateway's settings by the names of their environment variables."""
    settings = {
        "gatekeeper_target": f"ipv4:127.0.0.1:{upstream.gatekeeper_port}",
        "agent_runtime_target": upstream.target(),
        "tool_registry_target": upstream.target(),
        "embedding_target": upstream.target(),
        "signing_key": upstream.keys.signing("gateway"),
        "trusted_keys": json.dumps(upstream.keys.trusted),
        "listen_address": "127.0.0.1:0",
        "metrics_address": "127.0.0.1:0",
        **{name: json.dumps(v) if isinstance(v, list) else str(v) for name, v in more.items()},
    }
    return {f"GATEWAY_{name.upper()}": value for name, value in settings.items()}


@asynccontextmanager
async def serve_gateway(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch, **more: Any
) -> AsyncGenerator[tuple[Gateway, httpx.AsyncClient]]:
    """Serves a gateway while inside; gives it and a client with the admin's key."""
    with monkeypatch.context() as environment:
        for name, value in settings_for(upstream, **more).items():
            environment.setenv(name, value)
        settings = Settings()  # pyright: ignore[reportCallIssue]
    listener = bind("127.0.0.1:0", settings.stall_time)
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with opened(settings) as gateway:
        serving = asyncio.create_task(gateway.server.serve_on(listener))
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=20) as client:
            yield gateway, client
        gateway.streams.drain()
        gateway.server.stop()
        await serving


@pytest.fixture(scope="session")
async def _shared(keys: Keys) -> AsyncGenerator[tuple[Upstream, str]]:
    """One gateway for all tests that change nothing of it, and what is behind it."""
    with pytest.MonkeyPatch.context() as environment:
        async with (
            serve_upstream(keys) as upstream,
            serve_gateway(upstream, environment) as (_, client),
        ):
            yield upstream, str(client.base_url)


@pytest.fixture
def upstream(_shared: tuple[Upstream, str]) -> Upstream:
    """The services behind the edge; they stay up."""
    _shared[0].reset()
    return _shared[0]


@pytest.fixture
async def client(
    upstream: Upstream, _shared: tuple[Upstream, str]
) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the gateway, with the admin's key."""
    headers = {"authorization": f"Bearer {ADMIN_KEY}"}
    async with httpx.AsyncClient(base_url=_shared[1], headers=headers, timeout=20) as client:
        yield client


@pytest.fixture
async def mortals(keys: Keys) -> AsyncGenerator[Upstream]:
    """The services behind the edge, agent-runtime with two replicas, to be killed."""
    async with serve_upstream(keys, replicas=2) as upstream:
        yield upstream
