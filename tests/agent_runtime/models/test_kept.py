"""Row L12: connections are kept for each credential, and nobody's stream is cut."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from tests.agent_runtime.models.asking import all_of, prompt_for
from tests.agent_runtime.models.conftest import Provider
from tests.doubles.http1 import Connection, sse
from tests.waiting import until
from turnpike.agent_runtime.models.clients import Clients, open_clients
from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.kept import KeptSessions
from turnpike.agent_runtime.models.prompt import Model, ModelError, Prompt, TextPiece
from turnpike.egress.sessions import open_session

pytestmark = pytest.mark.usefixtures("litellm")

WORD = sse({"choices": [{"delta": {"content": "one "}}]})
STOP = sse({"choices": [{"delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"


def with_model(prompt: Prompt, **changes: object) -> Prompt:
    return replace(prompt, model=replace(prompt.model, **changes))  # pyright: ignore[reportArgumentType]


@pytest.fixture
async def few() -> AsyncGenerator[Clients]:
    """Ways to models that keep one credential's connections."""
    async with open_clients(allow_private=True, most=1) as clients:
        yield clients


@pytest.mark.usefixtures("unhurried")
async def test_l12_calls_by_one_credential_share_a_client_and_a_connection(
    faked: Provider, clients: Clients
):
    faked.streams(WORD, STOP, DONE)
    for _ in range(1000):
        await all_of(clients, prompt_for(faked.url))

    assert (len(clients.kept), len(faked.seen), len(faked.requests)) == (1, 1, 1000)


@pytest.mark.parametrize(
    "changes",
    [
        {"api_key": "sk-rotated"},
        {"options": (("region", "eu"),)},
        {"options": (("api_version", "2"),)},
        {"options": (("beta", "x"),)},
    ],
    ids=["credential", "region", "version", "beta"],
)
async def test_l12_whatever_makes_them_differ_makes_another_client(
    faked: Provider, clients: Clients, changes: dict[str, object]
):
    faked.streams(WORD, STOP, DONE)
    prompt = prompt_for(faked.url)
    await all_of(clients, prompt)
    await all_of(clients, with_model(prompt, **changes))

    assert (len(clients.kept), len(faked.seen)) == (2, 2)


@pytest.mark.parametrize("name", ["openai", "groq"])
async def test_l12_who_is_evicted_amid_a_stream_ends_it_and_then_goes(
    faked: Provider, few: Clients, name: str
):
    going_on = asyncio.Event()

    async def end_later(connection: Connection) -> None:
        await going_on.wait()
        connection.write(STOP, DONE)
        connection.end_stream()

    faked.streams(WORD, then=end_later)
    first = few.client(name).stream(prompt_for(faked.url, api_key="first", provider=name))
    said = list(await anext(first))
    faked.streams(WORD, STOP, DONE)
    await all_of(few, prompt_for(faked.url, api_key="second", provider=name))
    assert len(few.kept) == 1

    going_on.set()
    said += [piece async for pieces in first for piece in pieces]

    assert said[0] == TextPiece("one ")
    assert "EndPiece" in {type(each).__name__ for each in said}
    await until(lambda: len(faked.connections) == 1)


async def test_l12_after_the_end_no_connection_is_left(faked: Provider):
    faked.streams(WORD, STOP, DONE)
    async with open_clients(allow_private=True) as clients:
        for key in ("a", "b", "c"):
            await all_of(clients, prompt_for(faked.url, api_key=key))
        assert len(faked.connections) == 3

    await until(lambda: not faked.connections)


async def test_l12_what_nobody_uses_is_closed_and_what_is_used_is_not(faked: Provider):
    kept = KeptSessions(
        lambda addresses: open_session(allow_private=True, addresses=addresses),
        Fingerprints(b"secret"),
        allow_private=True,
        idle=timedelta(),
    )
    model = prompt_for(faked.url).model
    async with kept.lease(model) as used, kept.lease(with_key(model, "other")) as idle:
        pass
    assert len(kept) == 2
    async with kept.lease(model) as again:
        assert again is used
        await kept.sweep()
        assert (len(kept), idle.closed, used.closed) == (1, True, False)
    await kept.sweep()

    assert (len(kept), used.closed) == (0, True)


class SlowConnector(aiohttp.TCPConnector):
    """Connections that are closed when they may be."""

    def __init__(self) -> None:
        super().__init__()
        self.closing = False
        self.may_close = asyncio.Event()

    async def close(self, *, abort_ssl: bool = False) -> None:
        self.closing = True
        await self.may_close.wait()
        await super().close(abort_ssl=abort_ssl)


class SlowSessions:
    """Sessions whose closing takes its time, in the order in which they were opened."""

    def __init__(self, *, most: int, idle: timedelta) -> None:
        self.connectors: list[SlowConnector] = []
        self.kept = KeptSessions(
            self._open, Fingerprints(b"secret"), allow_private=True, most=most, idle=idle
        )

    async def take(self, key: str) -> bool:
        """Uses the session of a key; says whether it was open."""
        model = prompt_for("http://127.0.0.1:9", api_key=key).model
        async with self.kept.lease(model) as session:
            return not session.closed

    async def is_closing(self, number: int) -> None:
        """Returns when one is being closed."""
        await until(lambda: len(self.connectors) > number and self.connectors[number].closing)

    async def close(self) -> None:
        for connector in self.connectors:
            connector.may_close.set()
        await self.kept.close()

    def _open(self, _addresses: object) -> aiohttp.ClientSession:
        self.connectors.append(SlowConnector())
        return aiohttp.ClientSession(connector=self.connectors[-1])


async def test_l12_who_waits_for_another_s_eviction_is_given_an_open_session():
    slow = SlowSessions(most=1, idle=timedelta(minutes=1))
    assert await slow.take("a")
    # It evicts what there was, and waits until that is closed.
    first = asyncio.ensure_future(slow.take("b"))
    await slow.is_closing(0)
    # Another evicts its own meanwhile.
    second = asyncio.ensure_future(slow.take("c"))
    await until(lambda: len(slow.connectors) == 3 and len(slow.kept) == 1)
    slow.connectors[1].may_close.set()
    assert await second

    slow.connectors[0].may_close.set()

    assert await first
    await slow.close()


async def test_l12_what_is_evicted_amid_a_sweep_is_not_swept_again():
    slow = SlowSessions(most=2, idle=timedelta())
    assert await slow.take("a")
    assert await slow.take("b")
    # It has both in hand, and waits for the first.
    sweeping = asyncio.ensure_future(slow.kept.sweep())
    await slow.is_closing(0)
    third = asyncio.ensure_future(slow.take("c"))
    assert await third
    fourth = asyncio.ensure_future(slow.take("d"))
    await slow.is_closing(1)

    for connector in slow.connectors:
        connector.may_close.set()

    assert await fourth
    await sweeping
    await slow.close()


def with_key(model: Model, key: str) -> Model:
    return replace(model, api_key=key)


async def test_a_name_is_vetted_anew_for_each_call_and_its_address_is_pinned(
    faked: Provider, clients: Clients, monkeypatch: pytest.MonkeyPatch
):
    faked.streams(WORD, STOP, DONE)
    found = ["127.0.0.1"]

    async def resolved(host: str, port: int, *, allow_private: bool) -> list[str]:
        assert host == "models.test"
        return found

    monkeypatch.setattr("turnpike.agent_runtime.models.kept.resolve", resolved)
    prompt = prompt_for(faked.url.replace("127.0.0.1", "models.test"))

    await all_of(clients, prompt)
    await all_of(clients, prompt)
    assert (len(clients.kept), len(faked.seen)) == (1, 1)

    # Where it was before nobody asks any more.
    found[:] = ["127.0.0.2"]
    with pytest.raises(ModelError):
        await all_of(clients, prompt)
    assert len(clients.kept) == 2
    assert len(faked.requests) == 2
