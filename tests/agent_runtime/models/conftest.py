"""The ways to models, and providers faked at the wire."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from tests.doubles.http1 import Connection, Request, serving
from turnpike.agent_runtime.models.clients import Clients, open_clients

Answer = Callable[[Connection], Awaitable[None]]


@dataclass
class Provider:
    """A provider that answers as each test says; `url` is what a model names."""

    url: str = ""
    answer: Answer | None = None
    requests: list[Request] = field(default_factory=list[Request])
    connections: set[Connection] = field(default_factory=set[Connection])
    seen: set[Connection] = field(default_factory=set[Connection])
    """Every connection that brought a request, also those that are closed."""

    async def respond(self, connection: Connection, request: Request) -> None:
        self.requests.append(request)
        self.seen.add(connection)
        assert self.answer is not None
        await self.answer(connection)

    def streams(self, *events: bytes, then: Answer | None = None) -> None:
        """Answers with the events, and does what `then` says in place of an end."""

        async def answer(connection: Connection) -> None:
            connection.start_stream()
            if events:
                connection.write(*events)
            if then is None:
                connection.end_stream()
            else:
                await then(connection)

        self.answer = answer

    def replies(self, status: int, content: object, **headers: str) -> None:
        """Answers with a status and JSON."""

        async def answer(connection: Connection) -> None:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.reply(status, content, named)

        self.answer = answer

    def says(self, raw: bytes) -> None:
        """Answers with these bytes, whatever they are, and closes."""

        async def answer(connection: Connection) -> None:
            connection.transport.write(raw)
            connection.transport.close()

        self.answer = answer


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets an answer's last bytes take their time.

    A connection is given up that is without them for a twentieth of a second, which may pass on a
    loaded machine.
    """
    monkeypatch.setattr("turnpike.agent_runtime.models.openai_client._LAST_BYTES_SECONDS", 15.0)


@pytest.fixture
async def faked() -> AsyncGenerator[Provider]:
    """A provider of the test's own making."""
    fake = Provider()
    async with serving(fake.respond, connections=fake.connections) as port:
        fake.url = f"http://127.0.0.1:{port}"
        yield fake


@pytest.fixture
async def clients() -> AsyncGenerator[Clients]:
    """The ways to models, private addresses included."""
    async with open_clients(allow_private=True) as ways:
        yield ways
