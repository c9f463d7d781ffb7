"""Calls while Postgres is away."""

import asyncio
import json
import signal
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest

from tests.conftest import Keys, Schemas
from tests.doubles.effects_server import EffectsServer
from tests.doubles.scripted_mcp import Called, Message, ScriptedServer
from tests.tool_registry.serving import Registry, Tenant, serving, settings_for, text_of
from tests.waiting import refusal, until
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.tool_registry import tools

PICTURE = {"type": "image", "data": "iVBORw0KGgo=", "mimeType": "image/png"}


@pytest.fixture
async def fragile(tmp_path: Path) -> AsyncGenerator[LocalPostgres]:
    """A PostgreSQL that may be killed."""
    with LocalPostgres(tmp_path / "postgres") as server:
        yield server


@pytest.fixture
async def replica(fragile: LocalPostgres, keys: Keys, tmp_path: Path) -> AsyncGenerator[Registry]:
    """A replica on it, with a place for artifacts."""
    urls = await Schemas(fragile.url).of("tool_registry")
    settings = settings_for(urls, keys, blobs_url=(tmp_path / "artifacts").as_uri())
    async with serving(settings, keys) as registry:
        yield registry


async def test_a_result_is_recorded_when_postgres_is_back_from_a_crash(
    replica: Registry,
    fragile: LocalPostgres,
    url: str,
    effects: EffectsServer,
    server: ScriptedServer,
    place: str,
):
    """Of a call that answers with a text, and of one that answers with a picture to be kept."""
    tenant, asked, may_answer = replica.new_tenant(), asyncio.Event(), asyncio.Event()

    async def answer(_: Called) -> Message:
        asked.set()
        await may_answer.wait()
        return {"content": [PICTURE]}

    server.answer = answer
    await tenant.connect(url=url)
    await tenant.connect("shop", url=place)
    request = await tenant.ask("effects/transfer", tag="rent")
    effects.held = asyncio.Event()
    pictured = tenant.watch(await tenant.ask("shop/one"))
    await until(asked.is_set)
    watch = tenant.watch(request)
    await until(lambda: effects.journal.effects("rent") == 1)

    fragile.child.send(signal.SIGQUIT)
    assert fragile.child.wait(timedelta(seconds=15)) is not None
    may_answer.set()
    effects.held.set()
    request.ordinal = 1
    error = await refusal(tenant.run(request))
    fragile.start()

    last, picture = [await _last(each) for each in (watch, pictured)]
    assert json.loads(picture.result)[0]["type"] == "resource_link"
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


async def test_a_list_is_kept_though_postgres_was_away_as_it_was_read(
    tenant: Tenant, place: str, monkeypatch: pytest.MonkeyPatch
):
    """Nobody else reads it while its claim lasts, a minute and a half."""
    replace_tools, failed = tools.replace_tools, list[object]()

    async def failing(*values: Any) -> bool:
        if len(failed) < 2:
            failed.append(values)
            raise asyncpg.ConnectionDoesNotExistError("it is away")
        return await replace_tools(*values)

    monkeypatch.setattr(tools, "replace_tools", failing)

    await tenant.connect(url=place)

    assert list(await tenant.tools()) == ["effects/one"]
    assert len(failed) == 2


async def _last(watch: Any) -> tool_pb2.Call:
    last = tool_pb2.Call()
    async for response in watch:
        last = response.call
    return last
