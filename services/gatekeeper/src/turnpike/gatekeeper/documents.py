"""Documents of issuers, fetched from addresses that tenants chose."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import orjson

from turnpike.gatekeeper.key_sets import FetchError

if TYPE_CHECKING:
    import aiohttp

logger = logging.getLogger(__name__)

_TOTAL_SECONDS = 5.0
_MOST_BYTES = 512 * 1024
_AT_ONCE = 8


@asynccontextmanager
async def open_documents(*, allow_private: bool) -> AsyncGenerator[Callable[[str], Awaitable[Any]]]:
    """Gives what fetches JSON documents: over https, from public addresses, bounded.

    Args:
        allow_private: Whether private addresses may be reached, and http spoken.
    """
    fetcher = _Fetcher(allow_private=allow_private)
    try:
        yield fetcher.fetch
    finally:
        await fetcher.close()


class _Fetcher:
    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str) -> Any:
        """Returns the JSON document at `url`, or raises `FetchError`."""
        # Most gatekeepers know no issuer and need no client.
        import aiohttp

        from turnpike.egress.sessions import open_session

        if urlsplit(url).scheme != "https" and not self._allow_private:
            raise FetchError("it is not https")
        if self._session is None:
            self._session = open_session(allow_private=self._allow_private, limit=_AT_ONCE)
        timeout = aiohttp.ClientTimeout(total=_TOTAL_SECONDS)
        try:
            # A redirect may lead from the issuer to anybody.
            async with self._session.get(url, allow_redirects=False, timeout=timeout) as response:
                if response.status != 200:
                    raise FetchError(f"it answers {response.status}")
                return orjson.loads(await _body(response))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise FetchError(str(error) or type(error).__name__) from error
        except ValueError as error:
            raise FetchError("it is no JSON") from error

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()


async def _body(response: "aiohttp.ClientResponse") -> bytes:
    body = bytearray()
    async for chunk in response.content.iter_chunked(64 * 1024):
        body += chunk
        if len(body) > _MOST_BYTES:
            raise FetchError("it is too long")
    return bytes(body)
