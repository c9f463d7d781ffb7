"""One suite for these tests, with two owners of turns, and what it talks to."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.channels import channel_to
from tests.doubles.effects_journal import Journal
from tests.doubles.otlp_server import OtlpServer
from tests.doubles.processes import Double, running
from tests.e2e.edge import Edge, connected
from tests.e2e.mcp_servers import everything_over_http, http, stdio_connectors
from tests.e2e.suite import START_SECONDS, Suite, running_suite, write_config
from turnpike.api.gatekeeper.v1.tenancy_service_pb2 import CreateTenantRequest
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub

MakeAgent = Callable[..., Awaitable[str]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives whichever test starts a suite the time that a suite may take to start."""
    for item in items:
        ours = item.path.is_relative_to(Path(__file__).parent)
        if ours and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(START_SECONDS + 120))


@pytest.fixture(scope="package")
def model() -> Generator[Double]:
    """A scripted model server."""
    with running("model_server") as double:
        yield double


@pytest.fixture(scope="package")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Journal:
    """What the effects server did, over HTTP and stdio."""
    return Journal(tmp_path_factory.mktemp("effects") / "journal")


@pytest.fixture(scope="package")
def effects(journal: Journal) -> Generator[Double]:
    """An MCP server over HTTP that counts what it did."""
    with running("effects_server", "--journal", str(journal.path)) as double:
        yield double


@pytest.fixture(scope="package")
def everything() -> Generator[str]:
    """The protocol's own test server, over HTTP."""
    with everything_over_http() as url:
        yield url


@pytest.fixture(scope="package")
async def collector() -> AsyncGenerator[tuple[OtlpServer, str]]:
    """A trace collector, and where it listens."""
    server = OtlpServer()
    async with server.listening() as endpoint:
        yield server, endpoint


@pytest.fixture(scope="package")
async def suite(
    tmp_path_factory: pytest.TempPathFactory,
    journal: Journal,
    effects: Double,
    everything: str,
    collector: tuple[OtlpServer, str],
) -> AsyncGenerator[Suite]:
    """The running suite."""
    home: Path = tmp_path_factory.mktemp("home")
    connectors = [http("effects", effects.url), http("everything", everything)]
    config = write_config(home / "setup.yaml", connectors + stdio_connectors(journal.path))
    replicas = {"agent-runtime": 2, "gateway": 2}
    variables = {"TURNPIKE_OTLP_ENDPOINT": collector[1]}
    async with running_suite(
        home, replicas=replicas, config=config, variables=variables
    ) as running_one:
        yield running_one


@pytest.fixture
async def edge(suite: Suite) -> AsyncGenerator[Edge]:
    """The edge, for the first tenant's admin."""
    async with connected(suite.url, suite.key) as caller:
        yield caller


@pytest.fixture(scope="package")
def numbers() -> Iterator[int]:
    """Numbers that no test has used yet."""
    return count(1)


@pytest.fixture
def agent(edge: Edge, model: Double, numbers: Iterator[int]) -> MakeAgent:
    """Makes agents, each on a scripted model of its own."""

    async def make(script: str, **spec: Any) -> str:
        return await edge.agent(f"agent-{next(numbers)}", script, model.url, **spec)

    return make


@pytest.fixture
def tag(numbers: Iterator[int]) -> str:
    """A tag that no effect has been counted under."""
    return f"tag-{next(numbers)}"


@pytest.fixture
async def gatekeeper(suite: Suite) -> AsyncGenerator[TenancyServiceStub]:
    """Gatekeeper over gRPC; calls need the metadata of `admin`."""
    async with channel_to(suite.of("gatekeeper")[0].address) as channel:
        yield TenancyServiceStub(channel)


@pytest.fixture
def admin(suite: Suite) -> tuple[tuple[str, str], ...]:
    """The metadata by which the first tenant's admin calls over gRPC."""
    return (("authorization", f"Bearer {suite.key}"),)


@pytest.fixture
async def stranger(
    edge: Edge,
    gatekeeper: TenancyServiceStub,
    admin: tuple[tuple[str, str], ...],
    numbers: Iterator[int],
) -> Edge:
    """The edge, for the admin of another tenant."""
    request = CreateTenantRequest(name=f"tenant-{next(numbers)}")
    made = await gatekeeper.CreateTenant(request, metadata=admin)
    return edge.with_key(made.secret)


@pytest.fixture
def make_key(edge: Edge) -> Callable[[str], Awaitable[dict[str, Any]]]:
    """Makes an API key with a role; the answer has its `id` and `key`."""

    async def make(role: str) -> dict[str, Any]:
        return await edge.call("POST", "/keys", {"name": f"a {role}", "role": role})

    return make


@pytest.fixture
async def models_log(model: Double) -> Callable[[str], Awaitable[list[dict[str, Any]]]]:
    """Returns what the model server was asked under a model's name."""

    async def asked(script: str) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as client:
            log = (await client.get(f"{model.origin}/log")).json()["log"]
        return [entry for entry in log if entry["model"] == script]

    return asked
