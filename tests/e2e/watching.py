"""Those who watch a turn: a terminal, a browser and a gRPC client, each as it really does."""

import asyncio
import json
from collections.abc import AsyncGenerator, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Any

from tests.channels import channel_to
from tests.e2e.edge import Edge
from tests.e2e.folding import Event
from tests.e2e.mcp_servers import NODE
from tests.e2e.suite import TURNPIKE, Process, Suite, environment, until
from tests.faults.reading import Reading
from turnpike.api.agent_runtime.v1 import event_pb2
from turnpike.api.agent_runtime.v1.turn_pb2 import TurnStatus
from turnpike.api.agent_runtime.v1.turn_service_pb2 import WatchTurnRequest
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.gateway.events import WRITERS

BROWSER = str(Path(__file__).with_name("browser.mjs"))
# An EventSource gives only the types that it is asked for.
TYPES = [kind for kind, _write in WRITERS.values()]


@dataclass
class Watcher:
    """One who watches a turn: what it was given, and a task that returns its exit status."""

    reading: Reading
    task: "asyncio.Task[int]"

    @property
    def turn(self) -> str:
        """The turn that it watches."""
        return self.reading.seen[0][1].fields["turn"]


@asynccontextmanager
async def watching(reading: Reading, watch: Coroutine[Any, Any, int]) -> AsyncGenerator[Watcher]:
    """Lets one watch while inside."""
    task = asyncio.create_task(watch)
    try:
        yield Watcher(reading, task)
    finally:
        task.cancel()
        await asyncio.wait([task])


async def read_lines(reading: Reading, *command: str, variables: Mapping[str, str]) -> int:
    """Reads the events that a program prints as lines of JSON; returns its exit status."""
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(variables), stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        while line := await process.stdout.readline():
            fields = json.loads(line)
            reading.take(Event(fields["seq"], fields["type"], fields))
        return await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def terminal(suite: Suite, agent: str, text: str) -> AsyncGenerator[Watcher]:
    """Says something to an agent from a shell, which shows the turn."""
    reading = Reading()
    command = (str(TURNPIKE), "chat", agent, text, "--json")
    lines = read_lines(reading, *command, variables=environment(suite.home, {}))
    async with watching(reading, lines) as watcher:
        await until(lambda: bool(reading.seen))
        yield watcher


@asynccontextmanager
async def browser(gateway: str, edge: Edge, turn: str) -> AsyncGenerator[Watcher]:
    """Opens a turn's events as a page does, which can set no header."""
    reading = Reading()
    token = (await edge.call("POST", f"/turns/{turn}:token"))["token"]
    url = f"{gateway}/api/v1/turns/{turn}/events?token={token}"
    async with watching(
        reading, read_lines(reading, NODE, BROWSER, url, *TYPES, variables={})
    ) as watcher:
        yield watcher


@asynccontextmanager
async def client(replica: Process, key: str, turn: str) -> AsyncGenerator[Watcher]:
    """Watches a turn over gRPC, through one replica."""
    reading = Reading()

    async def watch(turns: TurnServiceStub) -> int:
        metadata = (("authorization", f"Bearer {key}"),)
        async for response in turns.WatchTurn(WatchTurnRequest(turn=turn), metadata=metadata):
            for event in response.events:
                reading.take(plain(event, turn))
        return 0

    async with (
        channel_to(replica.address) as channel,
        watching(reading, watch(TurnServiceStub(channel))) as watcher,
    ):
        yield watcher


def plain(event: event_pb2.Event, turn: str) -> Event:
    """Returns an event's message as REST shows it, as far as a fold needs it."""
    which = event.WhichOneof("body")
    assert which is not None
    body = getattr(event, which)
    fields = {field.name: getattr(body, field.name) for field in body.DESCRIPTOR.fields}
    if which == "turn_finished":
        fields["status"] = TurnStatus.Name(body.status).removeprefix("TURN_STATUS_")
    time = event.time.ToDatetime(UTC).isoformat()
    return Event(event.seq, which.replace("_", "."), {**fields, "time": time, "turn": turn})
