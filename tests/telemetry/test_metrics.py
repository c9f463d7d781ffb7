"""Metrics, as the Prometheus that collects them relies on it."""

import asyncio
import socket

import httpx
import pytest

from turnpike.telemetry.metrics import counter, serve_metrics

PLUCKED = counter("test_plucked", "Counted by these tests.", ["by"])


async def test_metrics_are_served_in_prometheus_text():
    PLUCKED.labels("hand").inc(3)
    async with serve_metrics("127.0.0.1:0") as address, httpx.AsyncClient() as client:
        response = await client.get(f"http://{address}/metrics")

    assert response.headers["content-type"].startswith("text/plain")
    assert 'turnpike_test_plucked_total{by="hand"} 3.0' in response.text
    assert "process_resident_memory_bytes" in response.text


async def test_nothing_else_is_there():
    async with serve_metrics("127.0.0.1:0") as address, httpx.AsyncClient() as client:
        assert (await client.get(f"http://{address}/")).status_code == 404
        assert (await client.post(f"http://{address}/metrics")).status_code == 404


async def test_a_port_that_is_taken_is_an_error():
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="in use"),
    ):
        async with serve_metrics(f"127.0.0.1:{taken.getsockname()[1]}"):
            pass


async def test_whoever_connects_and_says_nothing_does_not_hold_the_end_up():
    async with asyncio.timeout(15):
        async with serve_metrics("127.0.0.1:0") as address:
            host, _, port = address.rpartition(":")
            reader, writer = await asyncio.open_connection(host, int(port))
            async with httpx.AsyncClient() as client:
                await client.get(f"http://{address}/metrics")  # by then the other is accepted
        assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
