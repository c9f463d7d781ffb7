"""Each service runs as its rendered Deployment says, from the image its Dockerfile makes."""

import base64
import json
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.helm.chart import Release, Values, container, render
from tests.helm.image import Image
from tests.helm.pod import Pod, Secrets
from turnpike.cli.stack.ports import free_ports
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis

# Whoever is first builds the images.
pytestmark = pytest.mark.timeout(300)

SERVICES = ("gatekeeper", "tool-registry", "embedding", "agent-runtime", "gateway")
WITH_TABLES = ("gatekeeper", "agent-runtime", "embedding", "tool-registry")
WITH_REDIS = ("gatekeeper", "agent-runtime")
WITH_SEALED_COLUMNS = ("agent-runtime", "tool-registry")
API_KEY = "tpk_" + secrets.token_urlsafe(24)


@dataclass(frozen=True)
class Cluster:
    """A release that is installed: its objects and what its operator brought."""

    release: Release
    secrets: Secrets
    image: Callable[[str], Image]
    logs: Path

    def deployed(self, service: str) -> Pod:
        workload = self.release.of_kind("Deployment")[service]
        return self._pod(f"{service}-1", workload, service)

    def migration(self, service: str) -> Pod:
        workload = self.release.of_kind("Job")[f"{service}-migrate"]
        return self._pod(f"{service}-migrate-1", workload, service)

    def _pod(self, name: str, workload: dict[str, object], service: str) -> Pod:
        image, log = self.image(service), self.logs / f"{name}.log"
        return Pod(name, workload, image, self.secrets, log)


def operator_secrets(postgres: str, redis: str, seeds: dict[str, str]) -> Secrets:
    """Returns the Secrets that the chart's README asks for."""
    held: Secrets = {}
    for service in SERVICES:
        prefix, schema = service.upper().replace("-", "_"), service.replace("-", "_")
        own = held[f"turnpike-{service}"] = {f"{prefix}_SIGNING_KEY": seeds[service]}
        if service in WITH_TABLES:
            own[f"{prefix}_DATABASE_URL"] = login(postgres, schema)
            own[f"{prefix}_SYSTEM_DATABASE_URL"] = login(postgres, f"{schema}_system")
            held[f"turnpike-{service}-migration"] = {f"{prefix}_MIGRATION_DATABASE_URL": postgres}
        if service in WITH_REDIS:
            own[f"{prefix}_REDIS_URL"] = redis
        if service in WITH_SEALED_COLUMNS:
            own[f"{prefix}_SECRET_KEYS"] = json.dumps({"one": encoded(secrets.token_bytes(32))})
    held["turnpike-gatekeeper"]["GATEKEEPER_BOOTSTRAP_KEY"] = API_KEY
    return held


def login(url: str, role: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{role}:{secrets.token_urlsafe(16)}@{rest.rpartition('@')[2]}"


def encoded(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def operator_values(keys: dict[str, Ed25519PrivateKey]) -> Values:
    ports = iter(free_ports(2 * len(SERVICES)))
    return {
        "trustedKeys": {
            service: encoded(key.public_key().public_bytes_raw()) for service, key in keys.items()
        },
        "defaults": {"drainSeconds": 0, "graceSeconds": 20},
        "services": {
            service: {
                "port": (port := next(ports)),
                "metricsPort": next(ports),
                "target": f"ipv4:127.0.0.1:{port}",
            }
            for service in SERVICES
        },
    }


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, image: Callable[[str], Image]
) -> Iterator[Cluster]:
    home = tmp_path_factory.mktemp("cluster")
    keys = {service: Ed25519PrivateKey.generate() for service in SERVICES}
    seeds = {service: encoded(key.private_bytes_raw()) for service, key in keys.items()}
    with LocalPostgres(home / "postgres") as postgres, LocalRedis(home / "redis") as redis:
        held = operator_secrets(postgres.url, redis.url, seeds)
        yield Cluster(render(operator_values(keys)), held, image, home)


@pytest.fixture(scope="module")
async def pods(cluster: Cluster) -> AsyncIterator[dict[str, Pod]]:
    """The release as Helm installs it: migrations to their end, then everything at once."""
    for service in WITH_TABLES:
        async with cluster.migration(service) as migration:
            assert await migration.exit_status() == 0, migration.log.read_text()
    async with AsyncExitStack() as running:
        started = {
            service: await running.enter_async_context(cluster.deployed(service))
            for service in SERVICES
        }
        for pod in started.values():
            await pod.become_ready()
        yield started


async def test_every_pod_becomes_ready_and_shows_its_metrics(pods: dict[str, Pod]):
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for pod in pods.values():
            (port,) = (
                one["containerPort"]
                for one in container(pod.workload)["ports"]
                if one["name"] == "metrics"
            )
            assert (await client.get(f"http://127.0.0.1:{port}/metrics")).status_code == 200


async def test_the_edge_reaches_the_other_pods(pods: dict[str, Pod]):
    (http, _) = container(pods["gateway"].workload)["ports"]
    async with httpx.AsyncClient(
        trust_env=False,
        base_url=f"http://127.0.0.1:{http['containerPort']}",
        headers={"Authorization": f"Bearer {API_KEY}"},
        timeout=60,
    ) as client:
        for path in ("/api/v1/agents", "/api/v1/tools", "/api/v1/threads"):
            assert (await client.get(path)).status_code == 200, path
        reply = await client.post("/api/v1/embeddings", json={"input": ["a toll road"]})
        assert reply.status_code == 200, reply.text


async def test_a_migration_may_run_again_beside_the_pods(pods: dict[str, Pod], cluster: Cluster):
    for service in WITH_TABLES:
        async with cluster.migration(service) as migration:
            assert await migration.exit_status() == 0, migration.log.read_text()
        assert await pods[service].passes("readinessProbe")


async def test_a_pod_that_must_stop_ends_by_itself_in_time(pods: dict[str, Pod]):
    for service in reversed(SERVICES):
        assert await pods[service].stop() == 0, pods[service].log.read_text()
