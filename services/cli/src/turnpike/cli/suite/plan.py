"""What runs where: decided whole before anything starts."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from turnpike.cli.errors import CommandError
from turnpike.cli.suite.credentials import Credentials
from turnpike.cli.suite.services import GATEWAY, SERVICES, Service

_HOST = "127.0.0.1"


@dataclass(frozen=True)
class Process:
    """One replica of a service."""

    service: Service
    number: int
    port: int
    metrics_port: int

    @property
    def name(self) -> str:
        """Its name in messages, logs and `run.json`."""
        return f"{self.service.name}-{self.number}"

    @property
    def address(self) -> str:
        """Where it serves."""
        return f"{_HOST}:{self.port}"

    def describe(self, pid: int) -> dict[str, object]:
        """Returns its entry in `run.json`."""
        serves = (
            {"http": f"http://{self.address}"}
            if self.service.name == GATEWAY
            else {"grpc": self.address}
        )
        return {
            "name": self.name,
            "service": self.service.name,
            "pid": pid,
            **serves,
            "metrics": f"http://{_HOST}:{self.metrics_port}/metrics",
        }


@dataclass(frozen=True)
class Surroundings:
    """What every process is told about the rest of the world."""

    database_url: str
    redis_url: str
    otlp_endpoint: str
    stdio_commands: Sequence[Sequence[str]]
    blobs_url: str


def parse_replicas(options: Sequence[str]) -> dict[str, int]:
    """Returns service to number of replicas, from `SERVICE=N` options."""
    counts = {service.name: 1 for service in SERVICES}
    for option in options:
        name, _, count = option.partition("=")
        if name not in counts:
            raise CommandError(f"--replicas {option}: services are {', '.join(sorted(counts))}")
        if not count.isdecimal() or not 1 <= int(count) <= 64:
            raise CommandError(f"--replicas {option}: give a number from 1 to 64")
        counts[name] = int(count)
    return counts


def plan_processes(
    replicas: Mapping[str, int], http_port: int, free_ports: Sequence[int]
) -> list[Process]:
    """Gives each replica its ports; the first gateway gets `http_port`."""
    ports = iter(free_ports)
    return [
        process
        for service in SERVICES
        for process in _replicas(service, replicas[service.name], http_port, ports)
    ]


def ports_needed(replicas: Mapping[str, int]) -> int:
    """How many free ports a plan takes at most."""
    return 2 * sum(replicas.values())


def service_command(service: Service) -> list[str]:
    """Returns what starts a service."""
    # -P: the folder that the user is in may hold a `redis.py` of its own.
    return [sys.executable, "-P", "-m", service.module]


def migration_command(service: Service) -> list[str]:
    """Returns what brings a service's schema up to date."""
    return [sys.executable, "-P", "-m", f"{service.module}.migrate"]


def environment_of(
    process: Process,
    processes: Sequence[Process],
    credentials: Credentials,
    surroundings: Surroundings,
) -> dict[str, str]:
    """Returns the settings of one process."""
    service = process.service
    settings = {
        "LISTEN_ADDRESS": process.address,
        "METRICS_ADDRESS": f"{_HOST}:{process.metrics_port}",
        "REPLICA_NAME": process.name,
        "SIGNING_KEY": credentials.signing_keys[service.name],
        "TRUSTED_KEYS": json.dumps(credentials.trusted_keys()),
        # Short: everything is gone within 10 s of Ctrl-C.
        "DRAIN_TIME": "0.3",
        "GRACE_TIME": "1.8",
        **_stores(service, credentials, surroundings),
        **_own(service, credentials, surroundings),
    }
    for peer in service.calls:
        settings[f"{peer.replace('-', '_').upper()}_TARGET"] = _target(peer, processes)
    if surroundings.otlp_endpoint:
        settings["OTLP_ENDPOINT"] = surroundings.otlp_endpoint
    named = {f"{service.prefix}{name}": value for name, value in settings.items()}
    # gRPC would write lines of its own, which are no JSON, between those of the log.
    return {**named, "GRPC_VERBOSITY": "NONE"}


def migration_environment(
    service: Service, credentials: Credentials, surroundings: Surroundings
) -> dict[str, str]:
    """Returns the settings of a service's migration."""
    settings = {
        **_stores(service, credentials, surroundings),
        "MIGRATION_DATABASE_URL": surroundings.database_url,
    }
    return {f"{service.prefix}{name}": value for name, value in settings.items()}


def _replicas(
    service: Service, count: int, http_port: int, ports: Iterator[int]
) -> Iterator[Process]:
    for number in range(1, count + 1):
        fixed = http_port if service.name == GATEWAY and number == 1 else 0
        yield Process(service, number, fixed or next(ports), next(ports))


def _stores(
    service: Service, credentials: Credentials, surroundings: Surroundings
) -> dict[str, str]:
    settings: dict[str, str] = {}
    if service.has_database:
        names = ("DATABASE_URL", "SYSTEM_DATABASE_URL")
        for name, role in zip(names, service.roles, strict=True):
            password = credentials.database_passwords[role]
            settings[name] = as_role(surroundings.database_url, role, password)
    if service.has_redis:
        settings["REDIS_URL"] = surroundings.redis_url
    if service.has_blobs:
        settings["BLOBS_URL"] = surroundings.blobs_url
    if service.has_secrets:
        settings["SECRET_KEYS"] = json.dumps(credentials.secret_keys)
    return settings


def _own(service: Service, credentials: Credentials, surroundings: Surroundings) -> dict[str, str]:
    """What a laptop's suite sets and a cluster's does not."""
    match service.name:
        case "gatekeeper":
            return {"BOOTSTRAP_KEY": credentials.admin_key, "EGRESS_ALLOW_PRIVATE": "true"}
        case "agent-runtime":
            return {"EGRESS_ALLOW_PRIVATE": "true", "DEFAULT_AGENT": "true"}
        case "tool-registry":
            return {
                "EGRESS_ALLOW_PRIVATE": "true",
                "STDIO_COMMANDS": json.dumps([list(c) for c in surroundings.stdio_commands]),
            }
        case _:
            return {}


def _target(service: str, processes: Sequence[Process]) -> str:
    addresses = [p.address for p in processes if p.service.name == service]
    return f"ipv4:{','.join(addresses)}"


def as_role(url: str, role: str, password: str) -> str:
    """Returns the same database's URL for another role."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(
        parts._replace(netloc=f"{quote(role, safe='')}:{quote(password, safe='')}@{host}")
    )
