"""A process that serves, as whoever operates it relies on it."""

import asyncio
import signal
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc

from tests.channels import channel_to
from tests.rpc.peer import SERVICE, Peer, release, served
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import (
    add_GatekeeperServiceServicer_to_server,
)
from turnpike.rpc.channel import open_channel
from turnpike.rpc.process import StartError
from turnpike.rpc.server import listen, new_server, serving
from turnpike.rpc.tls import Tls

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def running(address: str, metrics: str = "127.0.0.1:0") -> AsyncGenerator[Process]:
    arguments = ("-m", "tests.rpc.service", address, metrics)
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=ROOT, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(process: Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(60):
        return (await process.stdout.readline()).decode().strip()


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_lets_calls_in_flight_finish(signum: signal.Signals):
    async with running("127.0.0.1:0") as process:
        port = await line(process)
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            call = asyncio.create_task(release(channel, wait_for_ready=True))
            assert await line(process) == "begun"
            process.send_signal(signum)
            await call

        assert await line(process) == "ended"
        assert await process.wait() == 0


async def test_health_says_when_draining_begins():
    async with running("127.0.0.1:0") as process:
        port = await line(process)
        async with channel_to(f"127.0.0.1:{port}") as channel:
            request = health_pb2.HealthCheckRequest(service=SERVICE)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            watch = aiter(stub.Watch(request, wait_for_ready=True))
            states = health_pb2.HealthCheckResponse
            while (await anext(watch)).status != states.SERVING:
                continue
            process.send_signal(signal.SIGTERM)
            assert (await anext(watch)).status == states.NOT_SERVING


async def test_a_replica_that_is_stopped_is_given_up():
    async with running("127.0.0.1:0") as process:
        port = await line(process)
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            call = asyncio.create_task(release(channel, wait_for_ready=True, timeout=30))
            assert await line(process) == "begun"
            process.send_signal(signal.SIGSTOP)
            async with asyncio.timeout(60):
                with pytest.raises(grpc.aio.AioRpcError) as caught:
                    await call

    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_metrics_port_that_is_taken_gives_one_line_too():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        metrics = f"127.0.0.1:{taken.getsockname()[1]}"
        async with running("127.0.0.1:0", metrics) as process:
            _, errors = await process.communicate()

    assert "address already in use" in errors.decode()
    assert errors.count(b"\n") == 1
    assert process.returncode == 1


async def test_a_port_that_is_taken_gives_one_clear_line():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        async with running(address) as process:
            output, errors = await process.communicate()

    assert output == b""
    assert errors.decode() == f"error: cannot listen on {address}: Address already in use\n"
    assert process.returncode == 1


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.1:x", "127.0.0.1:70000", "8.8.8.8:0"])
async def test_an_address_that_cannot_be_listened_on_is_refused(address: str):
    server = new_server("gatekeeper")

    with pytest.raises(StartError, match=f"cannot listen on {address}: "):
        listen(server, address)


async def test_reflection_lists_the_services():
    async with served(Peer()) as port, channel_to(f"127.0.0.1:{port}") as channel:
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # pyright: ignore[reportArgumentType]
        request = reflection_pb2.ServerReflectionRequest(list_services="*")
        response = await anext(aiter(stub.ServerReflectionInfo(iter([request]))))

    assert SERVICE in {each.name for each in response.list_services_response.service}


async def test_certificates_protect_a_channel(tmp_path: Path):
    tls = self_signed(tmp_path)
    server = new_server("gatekeeper")
    add_GatekeeperServiceServicer_to_server(Peer(), server)
    port = listen(server, "127.0.0.1:0", tls)
    async with serving(server, grace_time=timedelta(0)):
        async with open_channel(f"ipv4:127.0.0.1:{port}", tls=tls) as channel:
            await release(channel)
        async with open_channel(f"ipv4:127.0.0.1:{port}") as channel:
            with pytest.raises(grpc.aio.AioRpcError):
                await release(channel)


def self_signed(folder: Path) -> Tls:
    key = generate_private_key(SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, SHA256())
        .public_bytes(Encoding.PEM)
    )
    (folder / "certificate.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    path = folder / "certificate.pem"
    return Tls(certificate=path, key=folder / "key.pem", authority=path)
