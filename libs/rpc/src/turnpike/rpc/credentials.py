"""From the credential of a call to its caller, as fresh as revocation demands.

An API key, or a token of a tenant's own issuer, is exchanged at gatekeeper for a
token of ours, which is kept until it expires, 60 seconds at most. Revocations
arrive on a stream; one that arrives ends what was kept at once. While the stream
is silent nobody knows what was revoked, so what was kept counts for a second only.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from time import monotonic, time
from typing import NoReturn, Protocol

import grpc

from turnpike.rpc.errors import RemoteError, UnauthenticatedError, UnavailableError
from turnpike.rpc.identity import Caller
from turnpike.rpc.verifier import Verifier

logger = logging.getLogger(__name__)

KEY_PREFIX = "tpk_"
"""What every API key begins with, and no token does."""

# Gatekeeper says something each second; after one more second it is gone.
_SILENCE = 2.0
_UNWATCHED_LIFE = 1.0
# Gatekeeper tells of a revocation within 0.3 s; all of it shall take a second.
_PARTING = 0.5
_REFUSAL_LIFE = 1.0
_LIFE = 60.0
# What is handed on must live long enough to arrive.
_MARGIN = 5.0
_KEPT = 10_000
# A key that is too long is answered by INVALID_ARGUMENT.
_REFUSALS = (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INVALID_ARGUMENT)
_FIRST_BACKOFF = 0.1
_LAST_BACKOFF = 1.0
_RENEWALS = 3


@dataclass(frozen=True, slots=True)
class Exchanged:
    """What gatekeeper gives for an API key."""

    token: str
    expires: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """The end of a key's tokens, or of a principal's that were issued before."""

    tenant: str
    principal: str
    key: str
    revoked: datetime
    generation: int = 0
    """Not 0: only tokens of a lower generation end, and new ones may be asked for."""

    def concerns(self, caller: Caller) -> bool:
        """Tells whether it may end the caller's tokens."""
        if self.key:
            return caller.key == self.key
        return (caller.tenant, caller.principal) == (self.tenant, self.principal)


@dataclass(frozen=True, slots=True)
class Revocations:
    """What the stream says at once; empty when nothing was revoked."""

    revocations: Sequence[Revocation]
    last_id: int


class Exchange(Protocol):
    """Exchanges an API key."""

    def __call__(self, credential: str, /) -> Awaitable[Exchanged]:
        """Returns the exchange; raises `UnauthenticatedError`, or `RemoteError`."""
        ...


class WatchRevocations(Protocol):
    """Streams revocations after a cursor, and something at least each second."""

    def __call__(self, after: int, /) -> AsyncIterator[Revocations]:
        """Yields as long as the stream holds; raises when it breaks."""
        ...


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str  # empty when the key was refused
    obtained: float
    until: float


class Credentials:
    """The callers behind credentials.

    Args:
        verifier: Checks tokens, also those that keys were exchanged for.
        exchange: Exchanges an API key; concurrent wishes for one key share one.
        clock: Monotonic seconds.
    """

    def __init__(
        self, verifier: Verifier, exchange: Exchange, *, clock: Callable[[], float] = monotonic
    ) -> None:
        self._verifier = verifier
        self._exchange = exchange
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()
        self._exchanging: dict[bytes, asyncio.Future[_Kept]] = {}
        self._holders: dict[object, tuple[Caller, Callable[[], None]]] = {}
        self._heard = float("-inf")

    async def caller(self, credential: str) -> Caller:
        """Returns who shows an API key or a token.

        Raises:
            UnauthenticatedError: It is not valid, or not any more.
            UnavailableError: The key is not known here, and gatekeeper does not answer.
        """
        return self._verifier.verify(await self.token(credential)).caller

    async def token(self, credential: str) -> str:
        """Returns the token to call services with, for an API key or a token itself.

        Raises as `caller` does.
        """
        if not (credential.startswith(KEY_PREFIX) or self._verifier.is_foreign(credential)):
            self._verifier.verify(credential)
            return credential
        digest = sha256(credential.encode()).digest()
        kept = await self._exchange_of(credential, digest)
        for _ in range(_RENEWALS):
            if not self._is_outdated(kept):
                break
            # The principal changed while the exchange was under way.
            kept = await self._exchange_of(credential, digest)
        return self._token_of(kept)

    async def _exchange_of(self, credential: str, digest: bytes) -> _Kept:
        while True:
            if kept := self._usable(digest):
                return kept
            under_way = self._exchanging.get(digest)
            if under_way is None:
                return await self._lead(credential, digest)
            await asyncio.wait([under_way])
            # Who led may have been cancelled; then somebody else leads.
            if not under_way.cancelled():
                return under_way.result()

    def _is_outdated(self, kept: _Kept) -> bool:
        return bool(kept.token) and self._verifier.is_outdated(kept.token)

    def refuse_revoked(self, caller: Caller) -> None:
        """Returns unless the caller's key was revoked or the caller removed.

        Else raises `UnauthenticatedError`. For whoever lends its name to a caller for
        longer than a token lives.
        """
        self._verifier.refuse_revoked(caller)

    @contextmanager
    def until_revoked(self, caller: Caller, end: Callable[[], None]) -> Generator[None]:
        """Calls `end` within a second if the caller's credential is revoked in the block.

        Not at once: a turn that ends with its key says so to who reads it. Also
        for a service that lends its name to the holder of a key.
        """
        holder = object()
        self._holders[holder] = (caller, end)
        try:
            yield
        finally:
            del self._holders[holder]

    async def watch_revocations(self, watch: WatchRevocations) -> NoReturn:
        """Follows revocations for ever, through every break of the stream."""
        cursor, backoff = 0, _FIRST_BACKOFF
        while True:
            try:
                async for batch in _never_silent(watch(cursor)):
                    self._apply(batch)
                    cursor, backoff = batch.last_id, _FIRST_BACKOFF
            except (RemoteError, grpc.aio.AioRpcError, OSError, TimeoutError) as error:
                logger.warning("revocations are out of sight: %s", _brief(error))
            await asyncio.sleep(backoff)
            backoff = min(backoff * 2, _LAST_BACKOFF)

    async def _lead(self, credential: str, digest: bytes) -> _Kept:
        self._exchanging[digest] = shared = asyncio.get_running_loop().create_future()
        try:
            kept = await self._exchanged(credential)
            shared.set_result(kept)
        except UnavailableError as error:
            shared.set_exception(error)
            shared.exception()  # seen, though nobody may be waiting
            raise
        finally:
            del self._exchanging[digest]
            shared.cancel()  # does nothing once it has a result
        self._keep(digest, kept)
        return kept

    def _keep(self, digest: bytes, kept: _Kept) -> None:
        self._kept[digest] = kept
        self._kept.move_to_end(digest)
        if len(self._kept) > _KEPT:
            self._kept.popitem(last=False)

    async def _exchanged(self, credential: str) -> _Kept:
        # From before the exchange: what it read may be as old as that.
        now = self._clock()
        try:
            exchanged = await self._exchange(credential)
        except UnauthenticatedError:
            return _Kept("", now, now + _REFUSAL_LIFE)
        except RemoteError as error:
            if error.code in _REFUSALS:
                return _Kept("", now, now + _REFUSAL_LIFE)
            raise UnavailableError("gatekeeper does not answer; try again") from error
        left = exchanged.expires.timestamp() - time() - _MARGIN
        return _Kept(exchanged.token, now, now + min(left, _LIFE))

    def _usable(self, digest: bytes) -> _Kept | None:
        kept = self._kept.get(digest)
        if kept is None or self._is_outdated(kept):
            return None
        now = self._clock()
        watched = now - self._heard <= _SILENCE
        until = kept.until if watched else min(kept.until, kept.obtained + _UNWATCHED_LIFE)
        return kept if now < until else None

    def _token_of(self, kept: _Kept) -> str:
        if not kept.token:
            raise UnauthenticatedError("the credential is not valid")
        # An exchange may have been under way when the key was revoked.
        self._verifier.verify(kept.token)
        return kept.token

    def _apply(self, batch: Revocations) -> None:
        for revocation in batch.revocations:
            if revocation.generation:
                self._verifier.renew_principal(
                    revocation.tenant, revocation.principal, revocation.generation
                )
                continue
            if revocation.key:
                self._verifier.revoke_key(revocation.key)
            else:
                self._verifier.revoke_principal(
                    revocation.tenant, revocation.principal, revocation.revoked.timestamp()
                )
            for holder, (caller, _) in self._holders.items():
                if revocation.concerns(caller):
                    asyncio.get_running_loop().call_later(_PARTING, self._part, holder)
        self._heard = self._clock()

    def _part(self, holder: object) -> None:
        if held := self._holders.get(holder):
            held[1]()


async def _never_silent(batches: AsyncIterator[Revocations]) -> AsyncIterator[Revocations]:
    while True:
        async with asyncio.timeout(_SILENCE):
            try:
                batch = await anext(batches)
            except StopAsyncIteration:
                return
        yield batch


def _brief(error: BaseException) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name} {error.details()}"
    return str(error) or type(error).__name__
