"""API keys, as their holders and whoever revokes them rely on it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import grpc
import pytest

from tests.rpc.keys import PRINCIPAL, TENANT, signer, verifier
from turnpike.rpc.credentials import Credentials, Exchanged, Revocation, Revocations
from turnpike.rpc.errors import RemoteError, UnauthenticatedError, UnavailableError

KEY = "tpk_0123456789abcdefghijkl"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Exchanges:
    """Gatekeeper's side: exchanges keys, and streams what it is told to."""

    def __init__(self) -> None:
        self.count = 0
        self.refusal: Exception | None = None
        self.open = asyncio.Event()
        self.open.set()
        self.asked = asyncio.Event()
        self.stream: asyncio.Queue[Revocations | Exception] = asyncio.Queue()
        self.watched_after: asyncio.Queue[int] = asyncio.Queue()
        self._signer = signer("gatekeeper")

    async def exchange(self, _credential: str) -> Exchanged:
        self.count += 1
        self.asked.set()
        token, expires = self._signer.principal_token(
            tenant=TENANT, principal=PRINCIPAL, role="member", key="key-1"
        )
        await self.open.wait()
        if self.refusal is not None:
            raise self.refusal
        return Exchanged(token, expires)

    async def watch(self, after: int) -> AsyncIterator[Revocations]:
        self.watched_after.put_nowait(after)
        while True:
            said = await self.stream.get()
            if isinstance(said, Exception):
                raise said
            yield said
            self.stream.task_done()


def revoked(key: str, number: int = 1) -> Revocations:
    revocation = Revocation(TENANT, PRINCIPAL, key, datetime.now(UTC))
    return Revocations([revocation], last_id=number)


NOTHING = Revocations([], last_id=0)
AWAY = RemoteError(grpc.StatusCode.UNAVAILABLE, "", "away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def exchanges() -> Exchanges:
    return Exchanges()


@pytest.fixture
def credentials(exchanges: Exchanges, clock: Clock) -> Credentials:
    return Credentials(verifier(), exchanges.exchange, clock=clock)


@asynccontextmanager
async def watching(credentials: Credentials, exchanges: Exchanges) -> AsyncGenerator[None]:
    """Follows revocations while inside, from after the first word."""
    watcher = asyncio.create_task(credentials.watch_revocations(exchanges.watch))
    await exchanges.stream.put(NOTHING)
    await exchanges.stream.join()
    yield
    watcher.cancel()
    await asyncio.wait([watcher])


async def test_a_key_is_exchanged_once_for_all_who_wait(
    credentials: Credentials, exchanges: Exchanges
):
    callers = await asyncio.gather(*(credentials.caller(KEY) for _ in range(50)))

    assert {caller.principal for caller in callers} == {PRINCIPAL}
    assert exchanges.count == 1


async def test_whoever_waits_goes_on_when_the_first_gives_up(
    credentials: Credentials, exchanges: Exchanges
):
    exchanges.open.clear()
    first, second = (asyncio.create_task(credentials.caller(KEY)) for _ in range(2))
    await exchanges.asked.wait()

    first.cancel()
    exchanges.open.set()

    assert (await second).principal == PRINCIPAL
    assert exchanges.count == 2


async def test_a_watched_exchange_is_kept_for_most_of_a_minute(
    credentials: Credentials, exchanges: Exchanges, clock: Clock
):
    async with watching(credentials, exchanges):
        await credentials.caller(KEY)
        for _ in range(5):
            clock.now += 10
            await exchanges.stream.put(NOTHING)
            await exchanges.stream.join()
            await credentials.caller(KEY)
        assert exchanges.count == 1

        clock.now += 10
        await exchanges.stream.put(NOTHING)
        await exchanges.stream.join()
        await credentials.caller(KEY)
        assert exchanges.count == 2


async def test_an_unwatched_exchange_is_kept_for_a_second(
    credentials: Credentials, exchanges: Exchanges, clock: Clock
):
    async with watching(credentials, exchanges):
        await credentials.caller(KEY)
        clock.now += 1.9
        await credentials.caller(KEY)
        assert exchanges.count == 1

        clock.now += 0.2  # two seconds of silence
        await credentials.caller(KEY)
        assert exchanges.count == 2
        clock.now += 0.9
        await credentials.caller(KEY)
        assert exchanges.count == 2


async def test_a_revoked_key_is_refused_at_once(credentials: Credentials, exchanges: Exchanges):
    async with watching(credentials, exchanges):
        await credentials.caller(KEY)

        await exchanges.stream.put(revoked("key-1"))
        await exchanges.stream.join()

        with pytest.raises(UnauthenticatedError):
            await credentials.caller(KEY)


async def test_a_key_revoked_while_it_is_exchanged_is_refused(
    credentials: Credentials, exchanges: Exchanges
):
    async with watching(credentials, exchanges):
        exchanges.open.clear()
        caller = asyncio.create_task(credentials.caller(KEY))
        await exchanges.asked.wait()

        await exchanges.stream.put(revoked("key-1"))
        await exchanges.stream.join()
        exchanges.open.set()

        with pytest.raises(UnauthenticatedError):
            await caller


async def test_a_revocation_of_every_key_of_a_principal_ends_its_tokens(
    credentials: Credentials, exchanges: Exchanges
):
    async with watching(credentials, exchanges):
        await credentials.caller(KEY)

        await exchanges.stream.put(revoked(""))
        await exchanges.stream.join()

        with pytest.raises(UnauthenticatedError):
            await credentials.caller(KEY)


async def test_a_broken_stream_is_taken_up_where_it_broke(
    credentials: Credentials, exchanges: Exchanges
):
    async with watching(credentials, exchanges):
        await exchanges.stream.put(revoked("key-9", number=41))
        await exchanges.stream.put(AWAY)
        async with asyncio.timeout(15):
            cursors = [await exchanges.watched_after.get() for _ in range(2)]

    assert cursors == [0, 41]


async def test_a_wrong_key_is_asked_for_once_a_second(
    credentials: Credentials, exchanges: Exchanges, clock: Clock
):
    exchanges.refusal = RemoteError(grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED", "no")
    for _ in range(3):
        with pytest.raises(UnauthenticatedError):
            await credentials.caller(KEY)
    assert exchanges.count == 1

    clock.now += 1
    exchanges.refusal = None
    assert (await credentials.caller(KEY)).principal == PRINCIPAL


async def test_without_gatekeeper_a_key_is_unavailable_not_wrong(
    credentials: Credentials, exchanges: Exchanges
):
    exchanges.refusal = AWAY
    exchanges.open.clear()
    asking = [asyncio.create_task(credentials.caller(KEY)) for _ in range(3)]
    await exchanges.asked.wait()
    exchanges.open.set()
    outcomes = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [UnavailableError] * 3
    assert exchanges.count == 1

    exchanges.refusal = None
    assert (await credentials.caller(KEY)).principal == PRINCIPAL


async def test_a_token_is_not_exchanged(credentials: Credentials, exchanges: Exchanges):
    token = signer("agent-runtime").for_tenant(TENANT)

    assert (await credentials.caller(token)).service == "agent-runtime"
    assert exchanges.count == 0
