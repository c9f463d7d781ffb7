"""Real Postgres and Redis for the tests, from the wheels that `turnpike up` uses.

Nothing skips for want of them: a suite that skips is a suite that lies.
"""

import asyncio
import base64
import signal
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from uuid import uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls, migrate

SERVICES = ("agent-runtime", "embedding", "gatekeeper", "gateway", "tool-registry")

# The tests' databases do not outlive them, so nothing need survive a power cut.
FLEETING = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}

# A machine that stands still for a moment has found no counterexample.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


def pytest_configure() -> None:
    """Lets programs that tests start end at a Ctrl-C also where the tests run in the background.

    A shell has those ignore it, and whom they start.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


class Scheduling(LoadFileScheduling):
    """Each file has one worker, and so have those of `tests/e2e` together.

    They share a suite of nine processes, which every worker would have to start.
    """

    def _split_scope(self, nodeid: str) -> str:
        return "tests/e2e" if nodeid.startswith("tests/e2e/") else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduling | None:
    """Makes `--dist loadfile` what `Scheduling` says."""
    return Scheduling(config, log) if config.getoption("dist") == "loadfile" else None


@dataclass(frozen=True)
class Keys:
    """Every service's signing key, and what the others trust."""

    seeds: dict[str, bytes]

    def signing(self, service: str) -> str:
        """Returns the value of a service's SIGNING_KEY."""
        return base64.b64encode(self.seeds[service]).decode()

    @property
    def trusted(self) -> dict[str, str]:
        """TRUSTED_KEYS, before it becomes JSON."""
        return {service: public_key(seed) for service, seed in self.seeds.items()}


def public_key(seed: bytes) -> str:
    """Returns the public half of a seed, in base64."""
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    return base64.b64encode(public.public_bytes_raw()).decode()


@dataclass
class Schemas:
    """One database with a schema for each service, migrated on first need."""

    superuser: str
    _urls: dict[str, MigrationUrls] = field(default_factory=dict[str, MigrationUrls])
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def of(self, schema: str) -> MigrationUrls:
        """Returns the ways into a service's schema, such as `agent_runtime`."""
        async with self._lock:
            if schema not in self._urls:
                urls = MigrationUrls(
                    migration=self.superuser,
                    service=self._as(schema),
                    system=self._as(f"{schema}_system"),
                )
                await migrate(f"turnpike.{schema}", schema=schema, urls=urls)
                self._urls[schema] = urls
        return self._urls[schema]

    async def apart(self, schema: str) -> MigrationUrls:
        """Returns the ways into a service's schema in a new database, where nobody else sweeps."""
        return await Schemas(await new_database(self.superuser)).of(schema)

    def _as(self, role: str) -> str:
        address = self.superuser.rpartition("@")[2]
        return f"postgresql://{role}:{role}-password@{address}"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalPostgres]:
    """A PostgreSQL of the session's own."""
    home = tmp_path_factory.mktemp("postgres")
    with LocalPostgres(home, settings=FLEETING) as server:
        yield server


async def new_database(superuser: str) -> str:
    """Makes a database in which nobody else's replicas sweep; returns its URL."""
    name = f"own_{uuid4().hex}"
    connection = await asyncpg.connect(superuser)
    await connection.execute(f"CREATE DATABASE {name}")
    await connection.close()
    return f"{superuser.rpartition('/')[0]}/{name}"


@pytest.fixture(scope="session")
def schemas(postgres: LocalPostgres) -> Schemas:
    """The services' schemas in the session's database."""
    return Schemas(postgres.url)


@pytest.fixture(scope="session")
def valkey(tmp_path_factory: pytest.TempPathFactory) -> Generator[LocalRedis]:
    """A Redis of the session's own."""
    with LocalRedis(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture
async def redis(valkey: LocalRedis) -> AsyncGenerator[Redis]:
    """A client of an empty Redis."""
    async with Redis.from_url(valkey.url) as client:
        await client.flushall()
        yield client


@pytest.fixture(scope="session")
def keys() -> Keys:
    """Signing keys of all services."""
    return Keys({name: bytes([index] * 32) for index, name in enumerate(SERVICES, start=1)})
