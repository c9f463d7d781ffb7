"""The suite as a process: `turnpike up` on a home of its own."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import yaml
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from tests.channels import channel_to
from tests.ports import free_port

TURNPIKE = Path(sys.executable).with_name("turnpike")
START_SECONDS = 180
STOP_SECONDS = 15
# What a developer's shell may hold must not reach the suite under test.
KEPT_VARIABLES = ("PATH", "PYTHONPATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "SSL_CERT_FILE")


class SuiteFailedError(Exception):
    """The suite did not become ready."""


@dataclass(frozen=True)
class Process:
    """One process of the suite, as run.json names it."""

    name: str
    service: str
    pid: int
    address: str
    metrics: str


@dataclass
class Suite:
    """A running suite: where it answers, with which key, and its processes."""

    home: Path
    url: str
    started_in: float
    process: asyncio.subprocess.Process

    @property
    def key(self) -> str:
        """The first API key."""
        return (self.home / "admin.key").read_text().strip()

    @property
    def run(self) -> dict[str, Any]:
        """What run.json holds."""
        return json.loads((self.home / "run.json").read_text())

    @property
    def processes(self) -> list[Process]:
        """The processes, as run.json names them now."""
        return [
            Process(
                name=entry["name"],
                service=entry["service"],
                pid=entry["pid"],
                address=entry.get("grpc") or entry.get("http"),
                metrics=entry["metrics"],
            )
            for entry in self.run["processes"]
        ]

    def of(self, service: str) -> list[Process]:
        """Returns a service's processes."""
        return [process for process in self.processes if process.service == service]

    def named(self, name: str) -> Process:
        """Returns the process of a name."""
        return next(process for process in self.processes if process.name == name)

    def send(self, name: str, signum: signal.Signals) -> None:
        """Sends a signal to the process of a name."""
        os.kill(self.named(name).pid, signum)

    async def restarted(self, killed: Process, within: float = 30) -> None:
        """Waits until another process has a killed one's name and serves."""
        await until(lambda: self.named(killed.name).pid != killed.pid, within)
        await until_it(lambda: serves(self.named(killed.name)), within)


def holds(condition: Callable[[], bool]) -> bool:
    """Evaluates a condition on files that may be in the middle of a change."""
    try:
        return condition()
    except (OSError, StopIteration, ValueError, KeyError):
        return False


async def until(condition: Callable[[], bool], within: float = 30) -> None:
    """Waits until a condition holds, or raises TimeoutError."""
    async with asyncio.timeout(within):
        while not holds(condition):
            await asyncio.sleep(0.02)


async def until_it(condition: Callable[[], Awaitable[bool]], within: float = 30) -> None:
    """Waits until an awaited condition holds, or raises TimeoutError."""
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.02)


async def serves(process: Process) -> bool:
    """Tells whether a process says that it is ready."""
    if process.service == "gateway":
        async with httpx.AsyncClient() as client:
            try:
                return (await client.get(f"{process.address}/readyz")).is_success
            except httpx.TransportError:
                return False
    async with channel_to(process.address) as channel:
        check = HealthStub(channel).Check  # pyright: ignore[reportAttributeAccessIssue]
        try:
            reply = await check(HealthCheckRequest(), timeout=1)
        except grpc.aio.AioRpcError:
            return False
    return reply.status == HealthCheckResponse.SERVING


def write_config(path: Path, documents: list[dict[str, Any]]) -> Path:
    """Writes a file for `turnpike apply`."""
    path.write_text(yaml.safe_dump_all(documents))
    return path


@asynccontextmanager
async def running_suite(
    home: Path,
    *,
    replicas: Mapping[str, int] | None = None,
    config: Path | None = None,
    variables: Mapping[str, str] | None = None,
) -> AsyncGenerator[Suite]:
    """Runs `turnpike up` while inside."""
    port, began = free_port(), time.monotonic()
    command = [str(TURNPIKE), "up", "--http-port", str(port)]
    for service, count in (replicas or {}).items():
        command += ["--replicas", f"{service}={count}"]
    if config is not None:
        command += ["--config", str(config)]
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            *command,
            env=environment(home, variables or {}),
            stdout=asyncio.subprocess.PIPE,
            stderr=log,
        )
    try:
        url = await ready(process, home)
        reading = asyncio.ensure_future(drain(process, home))
        yield Suite(home, url, time.monotonic() - began, process)
        reading.cancel()
    finally:
        await stop(process)


def environment(home: Path, variables: Mapping[str, str]) -> dict[str, str]:
    """Returns the variables that the suite is started with."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    return kept | {"TURNPIKE_HOME": str(home)} | dict(variables)


async def ready(process: asyncio.subprocess.Process, home: Path) -> str:
    """Waits for the line that says where the suite answers."""
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            while line := (await process.stdout.readline()).decode():
                if line.startswith("ready "):
                    return line.split()[1].rstrip("/")
    except TimeoutError:
        pass
    raise SuiteFailedError((home / "up.log").read_text()[-4000:])


async def drain(process: asyncio.subprocess.Process, home: Path) -> None:
    """Keeps the suite's output, so that it never waits for a reader."""
    assert process.stdout is not None
    with (home / "up.out").open("ab") as out:
        while line := await process.stdout.readline():
            out.write(line)
            out.flush()


async def stop(process: asyncio.subprocess.Process) -> None:
    """Ends the suite as Ctrl-C does; what does not go is killed."""
    if process.returncode is not None:
        return
    process.terminate()
    try:
        async with asyncio.timeout(STOP_SECONDS):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
