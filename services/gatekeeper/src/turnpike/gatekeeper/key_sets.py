"""The public keys of issuers: fetched when they are needed, and kept."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, TypeAlias

import jwt

from turnpike.gatekeeper.issuer import IssuerSpec
from turnpike.rpc.errors import UnavailableError

logger = logging.getLogger(__name__)

Fetch: TypeAlias = Callable[[str], Awaitable[Any]]
"""Returns the JSON document at a URL, or raises `FetchError`."""

# Looked at again after so long, whether or not anybody shows an unknown key.
_FRESH_SECONDS = 300.0
# What cannot be looked at again is believed for so long.
_KEPT_SECONDS = 24 * 3600.0
# An issuer is asked no oftener, whatever tokens are shown.
_INTERVAL_SECONDS = 5.0
_MOST_SOURCES = 1000
_MOST_KEYS = 100


class FetchError(Exception):
    """A document cannot be had, or is none."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A key that verifies signatures."""

    key: Any
    algorithm: str
    """The only one that it is for; empty when its issuer does not say."""


@dataclass(slots=True)
class _Source:
    keys: Mapping[str, PublicKey] = field(default_factory=dict[str, PublicKey])
    read_at: float = float("-inf")
    asked_at: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class KeySets:
    """The keys of every issuer.

    Args:
        fetch: Gets documents.
        clock: Monotonic seconds.
    """

    def __init__(self, fetch: Fetch, *, clock: Callable[[], float] = monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._sources: OrderedDict[tuple[str, str], _Source] = OrderedDict()

    async def find(self, issuer: IssuerSpec, kid: str) -> PublicKey | None:
        """Returns an issuer's key; None if it has none of that id.

        An unknown id makes the issuer be asked again, but not within five seconds.
        While it does not answer, the keys that it had are good for a day. An
        empty id means the only key.

        Raises:
            UnavailableError: Its keys were never seen, and it does not answer.
        """
        source = self._source(issuer)
        # Who has what it needs does not wait for somebody else's look at what is new.
        spared = source.lock.locked() and kid in source.keys
        if self._wants(source, kid) and not spared:
            async with source.lock:
                # Who waited here finds what the one before was told.
                if self._wants(source, kid):
                    await self._read(source, issuer)
        if self._clock() - source.read_at > _KEPT_SECONDS:
            raise UnavailableError("the issuer's keys cannot be read; try again")
        if not kid:
            return next(iter(source.keys.values())) if len(source.keys) == 1 else None
        return source.keys.get(kid)

    def _source(self, issuer: IssuerSpec) -> _Source:
        name = (issuer.issuer, issuer.jwks_url)
        source = self._sources.setdefault(name, _Source())
        self._sources.move_to_end(name)
        if len(self._sources) > _MOST_SOURCES:
            self._sources.popitem(last=False)
        return source

    def _wants(self, source: _Source, kid: str) -> bool:
        now = self._clock()
        if now - source.asked_at < _INTERVAL_SECONDS:
            return False
        return now - source.read_at > _FRESH_SECONDS or bool(kid and kid not in source.keys)

    async def _read(self, source: _Source, issuer: IssuerSpec) -> None:
        began = self._clock()
        try:
            url = issuer.jwks_url or await self._discover(issuer.issuer)
            source.keys = _keys_in(await self._fetch(url))
        except FetchError as error:
            logger.warning("the keys of %s cannot be read: %s", issuer.issuer, error)
        else:
            source.read_at = began
        # Not before: whoever comes meanwhile waits. Nor when this was cancelled, so
        # that who waits asks instead.
        source.asked_at = self._clock()

    async def _discover(self, issuer: str) -> str:
        document = await self._fetch(f"{issuer.rstrip('/')}/.well-known/openid-configuration")
        if not isinstance(document, dict) or document.get("issuer") != issuer:
            raise FetchError("its configuration is another issuer's")
        url = document.get("jwks_uri")
        if not isinstance(url, str):
            raise FetchError("its configuration names no jwks_uri")
        return url


def _keys_in(document: Any) -> dict[str, PublicKey]:
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise FetchError("it is no JSON Web Key Set")
    found: dict[str, PublicKey] = {}
    for number, entry in enumerate(entries[:_MOST_KEYS]):
        if isinstance(entry, dict) and (key := _public_key(entry)):
            found[str(entry.get("kid") or f"#{number}")] = key
    if not found:
        raise FetchError("no key in it can be used")
    return found


def _public_key(entry: dict[str, Any]) -> PublicKey | None:
    # A shared secret (`oct`) proves nothing when it is published.
    if entry.get("kty") not in ("RSA", "EC", "OKP") or entry.get("use", "sig") != "sig":
        return None
    public = {name: value for name, value in entry.items() if name not in ("alg", "d")}
    try:
        key = jwt.PyJWK(public).key
    except (jwt.PyJWTError, ValueError, TypeError):
        return None
    return PublicKey(key, str(entry.get("alg") or ""))
