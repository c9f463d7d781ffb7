"""Calls while Postgres is away."""

import asyncio
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from tests.conftest import Keys, Schemas
from tests.doubles.effects_server import EffectsServer
from tests.tool_registry.serving import Registry, serving, settings_for, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.cli.stack.postgres import LocalPostgres


@pytest.fixture
async def fragile(tmp_path: Path) -> AsyncGenerator[LocalPostgres]:
    """A PostgreSQL that may be killed."""
    with LocalPostgres(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
async def replica(fragile: LocalPostgres, keys: Keys) -> AsyncGenerator[Registry]:
    """A replica on it."""
    urls = await Schemas(fragile.url).of("tool_registry")
    async with serving(settings_for(urls, keys), keys) as registry:
        yield registry


async def test_a_result_is_recorded_when_postgres_is_back_from_a_crash(
    replica: Registry, fragile: LocalPostgres, url: str, effects: EffectsServer
):
    tenant = replica.new_tenant()
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=0.5)
    watch = tenant.watch(request)
    await until(lambda: effects.journal.effects("rent") == 1)

    fragile.child.send(signal.SIGQUIT)
    assert fragile.child.wait(timedelta(seconds=15)) is not None
    await until(lambda: bool(effects.journal.entries("end")))
    request.ordinal = 1
    error = await refusal(tenant.run(request))
    fragile.start()

    last = tool_pb2.Call()
    async for response in watch:
        last = response.call
    assert (error.code.name, error.reason) == ("UNAVAILABLE", "UNAVAILABLE")
    assert error.retry_after is not None
    assert text_of(last) == "done rent"
    request.ordinal = 0
    async with asyncio.timeout(15):
        while True:
            try:
                assert text_of(await tenant.run(request)) == "done rent"
                break
            except grpc.aio.AioRpcError as error:
                assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert effects.journal.effects("rent") == 1
