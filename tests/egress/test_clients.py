"""The guarded clients, against a real server on the loopback address."""

from collections.abc import AsyncGenerator

import aiohttp
import httpx2
import pytest

from tests.doubles.http1 import Connection, Request, serving
from turnpike.egress.sessions import open_session
from turnpike.egress.transports import GuardedTransport, ResponseTooLargeError


@pytest.fixture
async def port() -> AsyncGenerator[int]:
    """A server that answers its Host header, much text, or a redirect to itself."""

    async def respond(connection: Connection, request: Request) -> None:
        if request.path == "/big":
            connection.reply(200, "x" * 10_000)
        elif request.path == "/away":
            connection.reply(302, None, {"location": "http://169.254.169.254/"})
        else:
            connection.reply(200, {"host": request.headers["host"]})

    async with serving(respond) as bound:
        yield bound


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_aiohttp_reaches_private_addresses_when_allowed(port: int, host: str):
    async with (
        open_session(allow_private=True) as session,
        session.get(f"http://{host}:{port}/") as response,
    ):
        assert await response.json() == {"host": f"{host}:{port}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]"])
async def test_aiohttp_refuses_private_addresses_and_literals(port: int, host: str):
    async with open_session(allow_private=False) as session:
        with pytest.raises((aiohttp.ClientConnectorError, aiohttp.InvalidURL)):
            await session.get(f"http://{host}:{port}/")


async def test_aiohttp_vets_where_a_redirect_leads(port: int):
    async with open_session(allow_private=True) as session:
        with pytest.raises(aiohttp.ClientConnectorError, match="refused"):
            await session.get(f"http://127.0.0.1:{port}/away")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_httpx2_keeps_the_name_that_was_asked_for(port: int, host: str):
    transport = GuardedTransport(allow_private=True, max_response_bytes=1000)
    async with httpx2.AsyncClient(transport=transport) as client:
        response = await client.get(f"http://{host}:{port}/")

    assert response.json() == {"host": f"{host}:{port}"}


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "[::1]"])
async def test_httpx2_refuses_private_addresses(port: int, host: str):
    transport = GuardedTransport(allow_private=False, max_response_bytes=1000)
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(httpx2.ConnectError, match="refused"):
            await client.get(f"http://{host}:{port}/")


async def test_httpx2_cuts_off_a_response_that_is_too_long(port: int):
    transport = GuardedTransport(allow_private=True, max_response_bytes=1000)
    async with httpx2.AsyncClient(transport=transport) as client:
        with pytest.raises(ResponseTooLargeError):
            await client.get(f"http://127.0.0.1:{port}/big")
