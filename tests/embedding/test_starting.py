"""The process: what it needs, what it costs at rest, how it ends."""

import asyncio
import json
import socket
import sys
from asyncio.subprocess import PIPE, Process
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from secrets import token_bytes
from typing import Any

import asyncpg
import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.conftest import Schemas, new_database
from tests.embedding.serving import WAIT_SECONDS
from tests.ports import free_port
from turnpike.api.embedding.v1 import embedding_service_pb2 as pb
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.database.migration import MigrationUrls, migrate
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import from_rpc_error
from turnpike.rpc.identity import Signer

SEED = token_bytes(32)
PUBLIC = Ed25519PrivateKey.from_private_bytes(SEED).public_key().public_bytes_raw()
HEAVY = ("numpy", "onnxruntime", "tokenizers")


def free_address() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
async def urls(schemas: Schemas) -> MigrationUrls:
    return await schemas.of("embedding")


def environment(urls: MigrationUrls, **settings: str) -> dict[str, str]:
    return {
        "EMBEDDING_DATABASE_URL": urls.service,
        "EMBEDDING_SYSTEM_DATABASE_URL": urls.system,
        "EMBEDDING_LISTEN_ADDRESS": free_address(),
        "EMBEDDING_METRICS_ADDRESS": free_address(),
        # Nobody is there: a service's own token needs no gatekeeper.
        "EMBEDDING_GATEKEEPER_TARGET": f"ipv4:{free_address()}",
        "EMBEDDING_SIGNING_KEY": b64encode(token_bytes(32)).decode(),
        "EMBEDDING_TRUSTED_KEYS": json.dumps({"agent-runtime": b64encode(PUBLIC).decode()}),
        "EMBEDDING_DRAIN_TIME": "0",
        "EMBEDDING_GRACE_TIME": "0.5",
    } | settings


@asynccontextmanager
async def started(env: dict[str, str]) -> AsyncGenerator[Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "turnpike.embedding", env=env, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def ready(channel: grpc.aio.Channel) -> None:
    health: Any = health_pb2_grpc.HealthStub(channel)
    async with asyncio.timeout(WAIT_SECONDS):
        async for response in health.Watch(health_pb2.HealthCheckRequest(), wait_for_ready=True):
            if response.status == health_pb2.HealthCheckResponse.SERVING:
                return


def mapped(process: Process) -> list[str]:
    maps = Path(f"/proc/{process.pid}/maps").read_text()
    return [name for name in HEAVY if f"/{name}/" in maps]


async def test_it_serves_loads_on_first_need_and_stops_when_told(urls: MigrationUrls) -> None:
    env = environment(urls)
    signer = Signer("agent-runtime", SEED)
    target = f"ipv4:{env['EMBEDDING_LISTEN_ADDRESS']}"
    async with (
        started(env) as process,
        open_channel(target, authorization=lambda: signer.for_tenant("t", "p")) as channel,
    ):
        await ready(channel)
        assert mapped(process) == []

        response = await EmbeddingServiceStub(channel).Embed(
            pb.EmbedRequest(input=["hello"]), timeout=WAIT_SECONDS
        )

        assert len(response.embeddings[0].vector) == 384 * 4
        assert mapped(process) == list(HEAVY)
        assert b"turnpike_embedding_batch_texts_bucket" in await scrape(env)
        process.terminate()
        assert await asyncio.wait_for(process.wait(), WAIT_SECONDS) == 0


async def scrape(env: dict[str, str]) -> bytes:
    host, _, port = env["EMBEDDING_METRICS_ADDRESS"].partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET /metrics HTTP/1.1\r\n\r\n")
    try:
        return await asyncio.wait_for(reader.read(), WAIT_SECONDS)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_without_gatekeeper_an_api_key_is_not_refused_but_unavailable(
    urls: MigrationUrls,
) -> None:
    env = environment(urls)
    target = f"ipv4:{env['EMBEDDING_LISTEN_ADDRESS']}"
    async with started(env), open_channel(target, authorization=lambda: "tpk_key") as channel:
        await ready(channel)

        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await EmbeddingServiceStub(channel).Embed(pb.EmbedRequest(input=["hello"]))

        error = from_rpc_error(refused.value)
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE")


@pytest.mark.parametrize("address", ["EMBEDDING_LISTEN_ADDRESS", "EMBEDDING_METRICS_ADDRESS"])
async def test_a_port_that_is_taken_is_told_in_one_line(address: str, urls: MigrationUrls) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        env = environment(urls, **{address: f"127.0.0.1:{taken.getsockname()[1]}"})
        async with started(env) as process:
            _, errors = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)

    assert process.returncode == 1
    last = errors.decode().splitlines()[-1]
    assert last.startswith("error: cannot ")
    assert env[address] in last
    assert "Traceback" not in errors.decode()


async def test_a_database_that_is_not_migrated_is_told_in_one_line(
    urls: MigrationUrls, schemas: Schemas
) -> None:
    other = await new_database(schemas.superuser)
    name = other.rpartition("/")[2]
    env = environment(urls) | {
        "EMBEDDING_DATABASE_URL": f"{urls.service.rpartition('/')[0]}/{name}",
        "EMBEDDING_SYSTEM_DATABASE_URL": f"{urls.system.rpartition('/')[0]}/{name}",
    }
    async with started(env) as process:
        _, errors = await asyncio.wait_for(process.communicate(), WAIT_SECONDS)

    assert errors.decode().splitlines()[-1] == (
        "error: migrate first: python -m turnpike.embedding.migrate"
    )


async def test_an_extension_that_the_database_has_elsewhere_is_used_there(
    schemas: Schemas, urls: MigrationUrls
) -> None:
    superuser = await new_database(schemas.superuser)
    name = superuser.rpartition("/")[2]
    own = MigrationUrls(
        migration=superuser,
        service=f"{urls.service.rpartition('/')[0].replace('embedding', 'elsewhere')}/{name}",
        system=f"{urls.system.rpartition('/')[0].replace('embedding', 'elsewhere')}/{name}",
    )
    connection = await asyncpg.connect(superuser)
    await connection.execute("CREATE SCHEMA types; CREATE EXTENSION vector SCHEMA types")
    await connection.execute("GRANT USAGE ON SCHEMA types TO PUBLIC")
    await connection.close()

    await migrate("turnpike.embedding", schema="embedding", urls=own)

    connection = await asyncpg.connect(own.service)
    assert await connection.fetchval("SELECT '[1,2]'::vector <-> '[1,2]'::vector") == 0
    assert await connection.fetch("SELECT embedding FROM chunks") == []
    await connection.close()
