"""Connections to providers that are kept: for each credential and endpoint its own."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import urlsplit

import aiohttp

from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.models.refusals import unreachable
from turnpike.egress.addresses import resolve

OpenSession = Callable[[Sequence[str]], aiohttp.ClientSession]
"""Opens a session that connects to these addresses alone, or to whatever is vetted if none."""

_SWEEP_SECONDS = 30.0
_PORTS = {"http": 80, "https": 443}


@dataclass(slots=True, eq=False)
class _Kept:
    session: aiohttp.ClientSession
    used: float
    users: int = 0
    dropped: bool = False


class KeptSessions:
    """Sessions by a keyed hash of everything that makes them differ.

    One that is used is never closed: whoever has it finishes, then it goes. Closed when the
    block of `opened` ends.
    """

    def __init__(
        self,
        open_session: OpenSession,
        fingerprints: Fingerprints,
        *,
        allow_private: bool,
        most: int = 1000,
        idle: timedelta = timedelta(minutes=30),
    ) -> None:
        """Takes how sessions are opened.

        Args:
            open_session: See `OpenSession`.
            fingerprints: Makes the keys.
            allow_private: Whether endpoints may be at private addresses.
            most: How many are kept.
            idle: How long one is kept that nobody uses.
        """
        self._open = open_session
        self._fingerprints = fingerprints
        self._allow_private = allow_private
        self._most = most
        self._idle = idle.total_seconds()
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    @asynccontextmanager
    async def lease(self, model: Model) -> AsyncGenerator[aiohttp.ClientSession]:
        """Lends the session of a model's endpoint and credential.

        The endpoint's name is resolved and vetted anew each time, and the session connects to
        what was found: another address is another session.

        Raises:
            ModelError: Its name has no address that may be connected to.
        """
        addresses = await self._addresses(model)
        kept = self._find(model, addresses)
        # Before anything is waited for: who has no user yet may be dropped, and closed, meanwhile.
        kept.users += 1
        try:
            await self._make_room()
            yield kept.session
        finally:
            kept.users -= 1
            kept.used = _now()
            if kept.dropped and not kept.users:
                await kept.session.close()

    async def serve(self) -> None:
        """Closes what nobody uses, until cancelled."""
        while True:
            await asyncio.sleep(min(_SWEEP_SECONDS, self._idle))
            await self.sweep()

    async def sweep(self) -> None:
        """Closes what nobody has used for too long."""
        before = _now() - self._idle
        for key in [k for k, each in self._kept.items() if not each.users and each.used <= before]:
            await self._drop(key)

    async def close(self) -> None:
        """Closes all."""
        for kept in self._kept.values():
            await kept.session.close()
        self._kept.clear()

    def _find(self, model: Model, addresses: Sequence[str]) -> _Kept:
        key = self._key(model, addresses)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = _Kept(self._open(addresses), _now())
        self._kept.move_to_end(key)
        return kept

    async def _make_room(self) -> None:
        while len(self._kept) > self._most:
            await self._drop(next(iter(self._kept)))

    async def _drop(self, key: str) -> None:
        # Another may have dropped it while this one waited.
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        kept.dropped = True
        if not kept.users:
            await kept.session.close()

    def _key(self, model: Model, addresses: Sequence[str]) -> str:
        options = (part for option in model.options for part in option)
        return self._fingerprints.of(
            model.provider, model.base_url, model.api_key, "options", *options, "at", *addresses
        )

    async def _addresses(self, model: Model) -> Sequence[str]:
        # A provider's own endpoint is nobody's choice, and moves as providers like.
        host, port = _endpoint(model.base_url)
        if not host:
            return ()
        try:
            found = await resolve(host, port, allow_private=self._allow_private)
        except (OSError, TimeoutError, UnicodeError) as error:
            raise unreachable(error, secret=model.api_key) from error
        return sorted(found)


def _endpoint(base_url: str) -> tuple[str, int]:
    """Returns a URL's host and port; nothing for what is no URL, as whoever asks will find."""
    try:
        parts = urlsplit(base_url)
        port = parts.port or _PORTS.get(parts.scheme, 0)
    except ValueError:
        return "", 0
    return (parts.hostname or "", port) if parts.scheme in _PORTS else ("", 0)


def _now() -> float:
    return asyncio.get_running_loop().time()
