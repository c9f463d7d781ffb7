"""When a process serves."""

import asyncio
from datetime import timedelta

import grpc
import httpx
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse

_INTERVAL = timedelta(milliseconds=50)
_TIMEOUT = timedelta(seconds=2)


async def grpc_serving(address: str) -> None:
    """Waits until the gRPC server at `address` says that it serves."""
    # A channel's own attempts to connect come further apart after each failure.
    await _listening(address)
    while True:
        if await grpc_says_serving(address):
            return
        await asyncio.sleep(_INTERVAL.total_seconds())


async def grpc_says_serving(address: str) -> bool:
    """Whether the gRPC server at `address` answers its health check with SERVING."""
    async with grpc.aio.insecure_channel(address) as channel:
        check = channel.unary_unary(
            "/grpc.health.v1.Health/Check",
            request_serializer=HealthCheckRequest.SerializeToString,
            response_deserializer=HealthCheckResponse.FromString,
        )
        try:
            answer = await check(HealthCheckRequest(), timeout=_TIMEOUT.total_seconds())
        except grpc.aio.AioRpcError:
            return False
        return answer.status == HealthCheckResponse.SERVING


async def http_ready(url: str) -> None:
    """Waits until the gateway at `url` says that it and its peers are ready."""
    await _listening(url.removeprefix("http://"))
    while True:
        if await http_says_ready(url):
            return
        await asyncio.sleep(_INTERVAL.total_seconds())


async def http_says_ready(url: str) -> bool:
    """Whether the gateway at `url` answers `/readyz` with 200."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            answer = await client.get(f"{url}/readyz", timeout=_TIMEOUT.total_seconds())
        except httpx.HTTPError:
            return False
        return answer.is_success


async def _listening(address: str) -> None:
    host, _, port = address.rpartition(":")
    while True:
        try:
            _, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            await asyncio.sleep(_INTERVAL.total_seconds())
        else:
            writer.close()
            return
