"""aiohttp sessions that connect to vetted addresses only."""

import socket
from collections.abc import Sequence

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.connector import AddrInfoType

from turnpike.egress.addresses import check_address


def open_session(
    *,
    allow_private: bool,
    limit: int = 0,
    limit_per_host: int = 0,
    keepalive_seconds: float = 60.0,
    connect_seconds: float = 10.0,
    addresses: Sequence[str] = (),
) -> aiohttp.ClientSession:
    """Returns a session for endpoints that others chose; close it in the end.

    Each connection is vetted by the very address that it is about to reach:
    names, IP literals and redirects alike. A refusal is an
    `aiohttp.ClientConnectorError` whose text says so. No proxy, `.netrc` or cookie
    is used. There is no total timeout: give each request its own.

    Args:
        allow_private: Whether private and loopback addresses may be reached.
        limit: How many connections there may be; 0 is no limit.
        limit_per_host: How many to one endpoint; 0 is no limit.
        keepalive_seconds: How long an unused connection is kept.
        connect_seconds: How long connecting may take.
        addresses: The only ones that names lead to; none: whatever they resolve to.
    """

    def vetted_socket(target: AddrInfoType) -> socket.socket:
        family, kind, protocol, _name, address = target
        check_address(str(address[0]), allow_private=allow_private)
        return socket.socket(family=family, type=kind, proto=protocol)

    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=limit,
            limit_per_host=limit_per_host,
            keepalive_timeout=keepalive_seconds,
            socket_factory=vetted_socket,
            resolver=_Pinned(addresses) if addresses else None,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None, sock_connect=connect_seconds),
        trust_env=False,
    )


class _Pinned(AbstractResolver):
    """Leads every name to addresses that were found before."""

    def __init__(self, addresses: Sequence[str]) -> None:
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """Has nothing to close."""
