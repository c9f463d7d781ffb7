"""What `turnpike up` starts, and what it tells each process."""

import base64
import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from turnpike.cli.errors import CommandError
from turnpike.cli.suite.credentials import Credentials, load_credentials
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.plan import (
    Process,
    Surroundings,
    as_role,
    environment_of,
    parse_replicas,
    plan_processes,
    ports_needed,
)

SURROUNDINGS = Surroundings(
    database_url="postgresql://postgres:secret@127.0.0.1:5432/turnpike",
    redis_url="redis://127.0.0.1:6379/0",
    otlp_endpoint="",
    stdio_commands=[["mcp-server-time"]],
    blobs_url="file:///home/blobs",
)


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    return load_credentials(Home(tmp_path))


def plan(*replicas: str, http_port: int = 8080) -> list[Process]:
    counts = parse_replicas(replicas)
    return plan_processes(counts, http_port, range(20000, 20000 + ports_needed(counts)))


def settings_of(name: str, processes: list[Process], credentials: Credentials) -> dict[str, str]:
    process = next(process for process in processes if process.name == name)
    return environment_of(process, processes, credentials, SURROUNDINGS)


def test_each_service_runs_once_unless_more_are_asked_for():
    assert [process.name for process in plan("agent-runtime=2", "gateway=2")] == [
        "gateway-1",
        "gateway-2",
        "agent-runtime-1",
        "agent-runtime-2",
        "tool-registry-1",
        "embedding-1",
        "gatekeeper-1",
    ]


def test_the_first_gateway_gets_the_port_and_nobody_shares_one():
    processes = plan("gateway=3", "agent-runtime=3")
    ports = [port for process in processes for port in (process.port, process.metrics_port)]

    assert processes[0].address == "127.0.0.1:8080"
    assert len(set(ports)) == len(ports)


@pytest.mark.parametrize("option", ["nobody=2", "gateway", "gateway=", "gateway=0", "gateway=-1"])
def test_replicas_that_cannot_be_are_refused(option: str):
    with pytest.raises(CommandError, match="--replicas"):
        parse_replicas([option])


def test_callers_are_told_of_every_replica(credentials: Credentials):
    processes = plan("agent-runtime=2")
    addresses = [p.address for p in processes if p.service.name == "agent-runtime"]

    settings = settings_of("gateway-1", processes, credentials)

    assert settings["GATEWAY_AGENT_RUNTIME_TARGET"] == f"ipv4:{','.join(addresses)}"


def test_each_service_connects_as_its_own_roles(credentials: Credentials):
    settings = settings_of("tool-registry-1", plan(), credentials)

    password = credentials.database_passwords["tool_registry"]
    assert settings["TOOL_REGISTRY_DATABASE_URL"] == (
        f"postgresql://tool_registry:{password}@127.0.0.1:5432/turnpike"
    )
    assert "//tool_registry_system:" in settings["TOOL_REGISTRY_SYSTEM_DATABASE_URL"]
    assert "secret" not in json.dumps(settings)


def test_only_who_stores_secrets_has_their_keys(credentials: Credentials):
    processes = plan()

    holders = [
        process.service.name
        for process in processes
        if any("SECRET_KEYS" in name for name in settings_of(process.name, processes, credentials))
    ]

    assert holders == ["agent-runtime", "tool-registry"]


def test_only_who_keeps_files_is_told_where(credentials: Credentials):
    processes = plan()

    holders = [
        process.service.name
        for process in processes
        if any(
            name.endswith("_BLOBS_URL") and value == "file:///home/blobs"
            for name, value in settings_of(process.name, processes, credentials).items()
        )
    ]

    assert holders == ["gateway", "agent-runtime", "tool-registry", "embedding"]


def test_every_service_trusts_what_the_others_sign(credentials: Credentials):
    settings = settings_of("gatekeeper-1", plan(), credentials)

    trusted = json.loads(settings["GATEKEEPER_TRUSTED_KEYS"])
    seed = base64.b64decode(credentials.signing_keys["gateway"])
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    assert base64.b64decode(trusted["gateway"]) == public


def test_credentials_are_made_once_and_for_their_owner_alone(tmp_path: Path):
    home = Home(tmp_path)

    first, second = load_credentials(home), load_credentials(home)

    assert first == second
    assert home.credentials.stat().st_mode & 0o777 == 0o600
    assert replace(first, admin_key="") != first


def test_a_home_of_an_older_version_gets_the_roles_that_came_since(tmp_path: Path):
    home = Home(tmp_path)
    first = load_credentials(home)
    kept = {k: v for k, v in first.database_passwords.items() if not k.startswith("embedding")}
    home.write_private(home.credentials, json.dumps({**asdict(first), "database_passwords": kept}))

    grown = load_credentials(home)

    assert grown.database_passwords.keys() == first.database_passwords.keys()
    assert kept.items() <= grown.database_passwords.items()
    assert load_credentials(home) == grown


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u:p@h:1/d", "postgresql://r:s%2F@h:1/d"),
        ("postgresql:///d?host=/run", "postgresql://r:s%2F@/d?host=/run"),
        ("postgresql://h/d?sslmode=require", "postgresql://r:s%2F@h/d?sslmode=require"),
    ],
)
def test_a_role_enters_by_the_same_door(url: str, expected: str):
    assert as_role(url, "r", "s/") == expected
