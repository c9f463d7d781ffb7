"""What a kubelet does with a rendered pod: its environment, its command, its probes, its end."""

import asyncio
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc
import httpx
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.channels import channel_to
from tests.helm.chart import Object, container
from tests.helm.image import Image

Secrets = dict[str, dict[str, str]]

_FAILURE_THRESHOLD = 3
"""Kubernetes' own, where a probe says none."""


@dataclass
class Pod:
    """One pod of a workload, run from its image; `log` is what it says."""

    name: str
    workload: Object
    image: Image
    secrets: Secrets
    log: Path
    _resources: AsyncExitStack = field(default_factory=AsyncExitStack)
    _process: asyncio.subprocess.Process | None = None

    @property
    def _container(self) -> dict[str, Any]:
        return container(self.workload)

    @property
    def environment(self) -> dict[str, str]:
        """Returns what Kubernetes would set: Secrets first, then the pod's own."""
        taken: dict[str, str] = {}
        for source in self._container["envFrom"]:
            taken |= self.secrets[source["secretRef"]["name"]]
        for item in self._container.get("env", []):
            taken[item["name"]] = item["value"] if "value" in item else self._field(item)
        return taken

    def _field(self, item: dict[str, Any]) -> str:
        assert item["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
        return self.name

    async def __aenter__(self) -> Self:
        log = self._resources.enter_context(self.log.open("ab"))
        self._process = await asyncio.create_subprocess_exec(
            *self._container["command"],
            *self._container.get("args", []),
            cwd=self.image.folder,
            env={**self.image.environ(), **self.environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
            await self._process.wait()
        await self._resources.aclose()

    async def exit_status(self) -> int:
        """Waits for the process's own end."""
        assert self._process is not None
        return await self._process.wait()

    async def stop(self) -> int:
        """Asks the pod to end, as Kubernetes does, and returns its exit status.

        Raises:
            TimeoutError: It did not end in the time that its Deployment gives it.
        """
        assert self._process is not None
        self._process.send_signal(signal.SIGTERM)
        patience = self.workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        return await asyncio.wait_for(self._process.wait(), patience)

    async def become_ready(self) -> None:
        """Waits until the startup probe passed, and then the others."""
        for kind in ("startupProbe", "livenessProbe"):
            assert await self.passes(kind), self.log.read_text()
        while not await self.passes("readinessProbe"):
            pass  # Its peers may be late; no pod is ended for that.

    async def passes(self, kind: str) -> bool:
        """Runs a probe until it passes, or fails as often in a row as Kubernetes lets it."""
        probe = self._container[kind]
        for _ in range(probe.get("failureThreshold", _FAILURE_THRESHOLD)):
            if await self._passes_once(kind):
                return True
            await self._pause(probe["periodSeconds"])
        return False

    async def _passes_once(self, kind: str) -> bool:
        probe = self._container[kind]
        seconds = probe.get("timeoutSeconds", 1)
        if "grpc" in probe:
            return await _serves(probe["grpc"]["port"], seconds)
        get = probe["httpGet"]
        (port,) = (
            one["containerPort"] for one in self._container["ports"] if one["name"] == get["port"]
        )
        return await _answers(f"http://127.0.0.1:{port}{get['path']}", seconds)

    async def _pause(self, seconds: float) -> None:
        """Waits for the next probe; a process that ends meanwhile fails at once."""
        assert self._process is not None
        try:
            status = await asyncio.wait_for(self._process.wait(), seconds)
        except TimeoutError:
            return
        raise AssertionError(f"{self.name} ended with {status}: {self.log.read_text()}")


async def _serves(port: int, seconds: float) -> bool:
    async with channel_to(f"127.0.0.1:{port}") as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        try:
            reply = await stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)
        except grpc.aio.AioRpcError:
            return False
    return reply.status == health_pb2.HealthCheckResponse.SERVING


async def _answers(url: str, seconds: float) -> bool:
    async with httpx.AsyncClient(trust_env=False, timeout=seconds) as client:
        try:
            return (await client.get(url)).is_success
        except httpx.TransportError:
            return False
