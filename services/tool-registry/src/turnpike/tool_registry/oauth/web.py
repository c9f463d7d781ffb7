"""Requests to addresses that MCP servers and authorization servers name."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx2

from turnpike.egress.addresses import AddressRefusedError, check_address
from turnpike.egress.transports import GuardedTransport
from turnpike.tool_registry.links.causes import fault_of
from turnpike.tool_registry.model import Fault
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError

MAX_BYTES = 1024 * 1024

_SECONDS = 15.0
_JSON = {"accept": "application/json"}
_FRAMING = frozenset({"content-encoding", "content-length", "transfer-encoding"})


class Web:
    """A guarded client; redirects are not followed."""

    def __init__(self, client: httpx2.AsyncClient, *, allow_private: bool) -> None:
        self._client = client
        self._allow_private = allow_private

    async def get(self, url: str) -> httpx2.Response:
        """Returns what is at `url`, whatever its status, or raises `OAuthError`."""
        return await self.send(self._client.build_request("GET", url, headers=_JSON))

    async def post_form(
        self, url: str, form: Mapping[str, str], headers: Mapping[str, str]
    ) -> httpx2.Response:
        """Posts a form, and returns the answer, or raises `OAuthError`."""
        return await self.send(
            self._client.build_request("POST", url, data=form, headers={**_JSON, **headers})
        )

    async def post_json(
        self, url: str, document: Any, headers: Mapping[str, str]
    ) -> httpx2.Response:
        """Posts a document, and returns the answer, or raises `OAuthError`."""
        return await self.send(
            self._client.build_request("POST", url, json=document, headers=headers)
        )

    async def send(self, request: httpx2.Request) -> httpx2.Response:
        """Sends a request that was made elsewhere, and reads the answer."""
        url = str(request.url)
        self.check(url)
        try:
            async with asyncio.timeout(_SECONDS):
                response = await self._client.send(request, stream=True)
                try:
                    # An endless stream says nothing more than its status.
                    content = b"" if _is_stream(response) else await response.aread()
                finally:
                    await response.aclose()
                return _read(response, content)
        except (httpx2.HTTPError, TimeoutError) as error:
            raise _failure(url, error) from error

    def check(self, url: str) -> None:
        """Raises `OAuthError` unless `url` is one that may be used.

        That is HTTPS; plain HTTP only where private addresses may be reached.
        """
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError as error:
            raise OAuthError(Cause.METADATA_INVALID, f"{_shown(url)} is no URL") from error
        secure = parts.scheme == "https" or (parts.scheme == "http" and self._allow_private)
        if not secure or not host or parts.username or parts.password or parts.fragment:
            raise OAuthError(Cause.ADDRESS_REFUSED, f"{_shown(url)} may not be used")
        try:
            check_address(host, allow_private=self._allow_private)
        except AddressRefusedError as error:
            raise OAuthError(Cause.ADDRESS_REFUSED, str(error.strerror)) from error
        except ValueError:
            return  # A name: it is judged when it is connected to, by what it resolves to.

    def check_return(self, url: str) -> None:
        """Raises `OAuthError` unless a browser may be sent back to `url`.

        It is the person's own browser that goes there, and none of our requests.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("https", "http") or not parts.hostname or parts.fragment:
            raise OAuthError(Cause.CLIENT_REFUSED, "the browser cannot be sent back there")


@asynccontextmanager
async def open_web(*, allow_private: bool) -> AsyncGenerator[Web]:
    """Gives a client for one errand."""
    transport = GuardedTransport(allow_private=allow_private, max_response_bytes=MAX_BYTES)
    async with httpx2.AsyncClient(
        transport=transport, timeout=_SECONDS, trust_env=False, follow_redirects=False
    ) as client:
        yield Web(client, allow_private=allow_private)


def _read(response: httpx2.Response, content: bytes) -> httpx2.Response:
    kept = [(name, value) for name, value in response.headers.multi_items() if name not in _FRAMING]
    return httpx2.Response(
        response.status_code, headers=kept, content=content, request=response.request
    )


def _is_stream(response: httpx2.Response) -> bool:
    return response.headers.get("content-type", "").lower().startswith("text/event-stream")


def _failure(url: str, error: Exception) -> OAuthError:
    if fault_of(error) is Fault.ADDRESS_REFUSED:
        return OAuthError(Cause.ADDRESS_REFUSED, f"the address of {_shown(url)} is refused")
    return OAuthError(Cause.UNREACHABLE, f"{_shown(url)} does not answer")


def _shown(url: str) -> str:
    return repr(url.partition("?")[0][:200])
