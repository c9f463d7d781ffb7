"""What becomes of calls when a process dies: the registry's, or the server's."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import psutil
import pytest

from tests.channels import channel_to
from tests.conftest import Keys
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_server import EffectsServer
from tests.doubles.http1 import Connection, Request, serving
from tests.doubles.processes import running
from tests.ports import free_port
from tests.tool_registry.serving import Registry, Tenant, environment_for, text_of
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_call_service_pb2 as calls_pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.database.migration import MigrationUrls


@contextmanager
def process(environment: dict[str, str]) -> Generator[subprocess.Popen[bytes]]:
    """Runs a registry as a process of its own."""
    command = [sys.executable, "-m", "turnpike.tool_registry"]
    started = subprocess.Popen(command, env={**os.environ, **environment})
    try:
        yield started
    finally:
        started.send_signal(signal.SIGCONT)
        started.kill()
        started.wait()


@asynccontextmanager
async def mortal(
    urls: MigrationUrls, keys: Keys, name: str = "", port: int = 0
) -> AsyncGenerator[tuple[Registry, subprocess.Popen[bytes]]]:
    """A replica in a process that may be killed."""
    address = f"127.0.0.1:{port or free_port()}"
    environment = environment_for(
        *(urls, keys),
        LISTEN_ADDRESS=address,
        REPLICA_NAME=name or f"mortal-{uuid4()}",
        GRACE_TIME="60",
    )
    with process(environment) as started:
        async with channel_to(address) as channel:
            async with asyncio.timeout(60):
                await channel.channel_ready()
            yield Registry(channel, keys), started


async def test_a_call_with_effects_whose_executor_is_killed_is_unknown(
    urls: MigrationUrls, keys: Keys, registry: Registry, url: str, effects: EffectsServer
):
    tenant = registry.new_tenant()
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=30)
    async with mortal(urls, keys) as (victim, killed):
        watch = tenant.on(victim).watch(request)
        await until(lambda: effects.journal.effects("rent") == 1)
        joined = asyncio.create_task(tenant.run(request))
        killed.kill()
        call = await joined
        watch.cancel()

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_UNKNOWN, "OUTCOME_UNKNOWN")
    assert (await tenant.run(request)).status == tool_pb2.CALL_STATUS_UNKNOWN
    assert effects.journal.effects("rent") == 1


async def test_a_repeatable_call_whose_executor_is_killed_runs_again_with_its_key(
    urls: MigrationUrls, keys: Keys, registry: Registry, url: str, effects: EffectsServer
):
    tenant = registry.new_tenant()
    await tenant.connect(url=url)
    request = await tenant.ask("effects/retry_safe", tag="rent")
    effects.held = asyncio.Event()
    async with mortal(urls, keys) as (victim, killed):
        watch = tenant.on(victim).watch(request)
        await until(lambda: effects.journal.effects("rent") == 1)
        killed.kill()
        killed.wait()
        effects.held.set()
        call = await tenant.run(request)
        watch.cancel()

    assert text_of(call) == "done rent"
    metas = [entry.meta or {} for entry in effects.journal.entries("effect")]
    assert [meta["turnpike/idempotency-key"] for meta in metas] == [f"{request.turn}:1:0"] * 2


async def test_a_restarted_replica_settles_what_it_left_at_once(
    urls: MigrationUrls, keys: Keys, registry: Registry, url: str, effects: EffectsServer
):
    tenant = registry.new_tenant()
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent", seconds=30)
    name, port = f"mortal-{uuid4()}", free_port()
    async with mortal(urls, keys, name, port) as (victim, killed):
        watch = tenant.on(victim).watch(request)
        await until(lambda: effects.journal.effects("rent") == 1)
        killed.kill()
        killed.wait()
        watch.cancel()
    async with mortal(urls, keys, name, port) as (reborn, _):
        call = await tenant.on(reborn).run(request)

    assert call.status == tool_pb2.CALL_STATUS_UNKNOWN


async def test_an_executor_that_was_stopped_changes_nothing_when_it_goes_on(
    urls: MigrationUrls, keys: Keys, registry: Registry, url: str, effects: EffectsServer
):
    tenant = registry.new_tenant()
    await tenant.connect(url=url)
    request = await tenant.ask("effects/transfer", tag="rent")
    effects.held = asyncio.Event()
    async with mortal(urls, keys) as (victim, stopped):
        watch = tenant.on(victim).watch(request)
        await until(lambda: effects.journal.effects("rent") == 1)
        stopped.send_signal(signal.SIGSTOP)
        await until(lambda: psutil.Process(stopped.pid).status() == psutil.STATUS_STOPPED)
        # It finds the answer when it goes on.
        effects.held.set()
        call = await tenant.run(request)
        stopped.send_signal(signal.SIGCONT)
        last = tool_pb2.Call()
        async for response in watch:
            last = response.call
        again = await tenant.ask("effects/echo", x=1)
        # It must have found out that it was declared dead, and have registered anew.
        await until(lambda: _serves(tenant.on(victim), again))
        alive = await tenant.on(victim).run(again)

    assert call.status == last.status == tool_pb2.CALL_STATUS_UNKNOWN
    assert alive.status == tool_pb2.CALL_STATUS_SUCCEEDED
    assert effects.journal.effects("rent") == 1


async def test_a_replica_that_is_told_to_stop_finishes_its_calls(
    urls: MigrationUrls, keys: Keys, registry: Registry, url: str, effects: EffectsServer
):
    tenant = registry.new_tenant()
    await tenant.connect(url=url)
    watched = await tenant.ask("effects/transfer", tag="rent", seconds=1)
    unwatched = await tenant.ask("effects/transfer", tag="gas", seconds=2)
    async with mortal(urls, keys) as (victim, ended):
        watch = tenant.on(victim).watch(watched)
        left = tenant.on(victim).watch(unwatched)
        await until(lambda: effects.journal.effects("rent") + effects.journal.effects("gas") == 2)
        left.cancel()
        ended.terminate()
        last = tool_pb2.Call()
        async for response in watch:
            last = response.call
        status = await asyncio.to_thread(ended.wait, 60)

    assert status == 0
    assert text_of(last) == "done rent"
    assert text_of(await tenant.run(unwatched)) == "done gas"
    assert effects.journal.effects("gas") == 1


async def test_a_server_that_is_away_was_not_called(tenant: Tenant, effects: EffectsServer):
    async with effects.listening() as url:
        await tenant.connect(url=url)
        cold = await tenant.ask("effects/transfer", tag="cold")
        await tenant.run(await tenant.ask("effects/echo"))
        warm = await tenant.ask("effects/transfer", tag="warm")

    for request in (warm, cold):
        call = await tenant.run(request)
        assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_FAILED, "TOOL_UNREACHABLE")


async def test_a_server_that_restarts_is_called_again(tenant: Tenant, tmp_path: Path):
    port, journal = free_port(), tmp_path / "journal"
    arguments = ("effects_server", "--port", str(port), "--journal", str(journal))
    sessions = (*arguments, "--era", "handshake", "--sessions")
    for kind in (arguments, sessions):
        with running(*kind) as double:
            await tenant.connect(url=double.url)
            before = await tenant.run(await tenant.ask("effects/transfer", tag="a"))
            request = await tenant.ask("effects/transfer", tag="b")
        with running(*kind):
            after = await tenant.run(request)
        assert (text_of(before), text_of(after)) == ("done a", "done b")
    assert Journal(journal).effects("b") == 2


async def test_a_server_that_dies_in_a_call_with_effects_leaves_it_unknown(
    tenant: Tenant, tmp_path: Path
):
    with running("effects_server", "--journal", str(tmp_path / "journal")) as double:
        await tenant.connect(url=double.url)
        others = [await tenant.ask("effects/echo", n=n) for n in range(3)]

        call = await tenant.run(await tenant.ask("effects/die"))

    assert (call.status, call.reason) == (tool_pb2.CALL_STATUS_UNKNOWN, "OUTCOME_UNKNOWN")
    assert {(await tenant.run(other)).reason for other in others} == {"TOOL_UNREACHABLE"}


@pytest.mark.parametrize(("tool", "times"), [("retry_safe", 2), ("transfer", 1)])
async def test_a_connection_that_is_lost_is_tried_again_only_where_that_is_safe(
    tenant: Tenant, effects: EffectsServer, tool: str, times: int
):
    async def half(connection: Connection, request: Request) -> None:
        message = request.json() if request.method == "POST" else {}
        if message.get("method") == "tools/call" and not effects.journal.effects("rent"):
            await effects.protocol.answer(message, _ignore)
            connection.cut()
        else:
            await effects._respond(connection, request)  # pyright: ignore[reportPrivateUsage]

    async with serving(half) as port:
        await tenant.connect(url=f"http://127.0.0.1:{port}/mcp")
        call = await tenant.run(await tenant.ask(f"effects/{tool}", tag="rent"))

    assert effects.journal.effects("rent") == times
    expected = tool_pb2.CALL_STATUS_SUCCEEDED if times == 2 else tool_pb2.CALL_STATUS_UNKNOWN
    assert call.status == expected


async def _ignore(_note: object) -> None:
    return


async def _serves(tenant: Tenant, request: calls_pb.RunCallRequest) -> bool:
    try:
        await tenant.run(request)
    except grpc.aio.AioRpcError:
        return False
    return True
