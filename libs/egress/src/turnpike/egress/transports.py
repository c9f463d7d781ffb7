"""httpx2 clients that connect to vetted addresses only."""

import functools
import ssl
from collections.abc import AsyncGenerator, Iterable
from typing import Any, cast

import httpcore2
import httpx2

from turnpike.egress.addresses import resolve


class ResponseTooLargeError(httpx2.ReadError):
    """A response is longer than its client takes."""


class GuardedTransport(httpx2.AsyncHTTPTransport):
    """Connects to vetted addresses, and cuts off responses that are too long.

    The request keeps the name that was asked for, in its Host header and in
    TLS; only the connection goes to the vetted address.
    """

    def __init__(self, *, allow_private: bool, max_response_bytes: int) -> None:
        """Takes whether private addresses may be reached, and a bound."""
        super().__init__(verify=_tls(), trust_env=False)
        self._max_response_bytes = max_response_bytes
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=_tls(),
            max_connections=None,
            max_keepalive_connections=16,
            keepalive_expiry=60.0,
            network_backend=_VettingBackend(allow_private=allow_private),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends `request`, and bounds the body of the response."""
        response = await super().handle_async_request(request)
        stream = cast("httpx2.AsyncByteStream", response.stream)
        response.stream = _BoundedStream(stream, self._max_response_bytes)
        return response


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, limit: int) -> None:
        self._stream = stream
        self._limit = limit

    async def __aiter__(self) -> AsyncGenerator[bytes]:
        length = 0
        async for chunk in self._stream:
            length += len(chunk)
            if length > self._limit:
                raise ResponseTooLargeError(f"the response is longer than {self._limit} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _VettingBackend(httpcore2.AsyncNetworkBackend):
    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._backend = cast("httpcore2.AsyncNetworkBackend", httpcore2.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 # httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        failure: Exception = httpcore2.ConnectError(f"{host!r} has no address")
        for address in await self._vetted(host, port):
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                failure = error
        raise failure

    async def _vetted(self, host: str, port: int) -> list[str]:
        try:
            return await resolve(host, port, allow_private=self._allow_private)
        except OSError as error:
            raise httpcore2.ConnectError(str(error)) from error

    async def sleep(self, seconds: float) -> None:
        await self._backend.sleep(seconds)


@functools.cache
def _tls() -> ssl.SSLContext:
    # Loading the authorities takes tens of milliseconds: once per process.
    return ssl.create_default_context()
