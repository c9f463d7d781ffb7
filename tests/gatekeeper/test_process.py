"""Gatekeeper as operators run it: a process with an environment."""

import asyncio
import json
import os
import signal
import sys
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

import grpc
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.channels import channel_to
from tests.conftest import Keys
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper
from tests.waiting import refusal, until
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls

COMMAND = (sys.executable, "-m", "turnpike.gatekeeper")


@pytest.fixture
def environment(urls: MigrationUrls, valkey: LocalRedis, keys: Keys) -> dict[str, str]:
    """Everything that must be set, and two free ports."""
    grpc_port, metrics_port = free_ports(2)
    return {
        **os.environ,
        "GATEKEEPER_DATABASE_URL": urls.service,
        "GATEKEEPER_SYSTEM_DATABASE_URL": urls.system,
        "GATEKEEPER_REDIS_URL": valkey.url,
        "GATEKEEPER_SIGNING_KEY": keys.signing("gatekeeper"),
        "GATEKEEPER_TRUSTED_KEYS": json.dumps(keys.trusted),
        "GATEKEEPER_BOOTSTRAP_KEY": FIRST_KEY,
        "GATEKEEPER_LISTEN_ADDRESS": f"127.0.0.1:{grpc_port}",
        "GATEKEEPER_METRICS_ADDRESS": f"127.0.0.1:{metrics_port}",
        "GATEKEEPER_DRAIN_TIME": "0.1",
        "GATEKEEPER_GRACE_TIME": "1",
    }


@asynccontextmanager
async def running(environment: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *COMMAND, env=environment, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_it_serves_until_it_is_told_to_stop(environment: dict[str, str], keys: Keys):
    target = environment["GATEKEEPER_LISTEN_ADDRESS"]
    async with running(environment) as process, channel_to(target) as channel:

        async def healthy() -> bool:
            try:
                response = await HealthStub(channel).Check(  # pyright: ignore[reportAttributeAccessIssue]
                    HealthCheckRequest()
                )
            except grpc.aio.AioRpcError:
                return False
            return response.status == HealthCheckResponse.SERVING

        await until(healthy, seconds=60)
        gatekeeper = Gatekeeper(channel, keys)
        tenant = await gatekeeper.create_tenant(slots=1)
        await tenant.admit()
        await refusal(tenant.admit())
        url = f"http://{environment['GATEKEEPER_METRICS_ADDRESS']}/metrics"
        page = await asyncio.to_thread(lambda: urllib.request.urlopen(url).read().decode())

        assert 'turnpike_admission_decisions_total{decision="ADMITTED"} 1.0' in page
        assert 'turnpike_admission_decisions_total{decision="CONCURRENCY_LIMITED"} 1.0' in page
        assert "turnpike_slots_taken 1.0" in page
        assert "turnpike_admission_seconds_count 2.0" in page
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            assert await process.wait() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GATEKEEPER_BOOTSTRAP_KEY", "tpk_short-and-secret"),
        ("GATEKEEPER_SIGNING_KEY", "c2VjcmV0LXNlY3JldA=="),
    ],
)
async def test_a_wrong_setting_is_named_and_not_shown(
    environment: dict[str, str], name: str, value: str
):
    async with running({**environment, name: value}) as process:
        async with asyncio.timeout(60):
            _, said = await process.communicate()

    assert process.returncode != 0
    assert name.removeprefix("GATEKEEPER_").lower() in said.decode()
    assert value not in said.decode()
