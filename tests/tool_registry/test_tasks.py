"""Calls that servers run as tasks, by both revisions of the protocol."""

import asyncio
from typing import Any

import asyncpg
import pytest

from tests.doubles.scripted_mcp import (
    STATELESS,
    Called,
    RpcError,
    ScriptedServer,
    said,
    tool,
)
from tests.tool_registry.serving import Registry, Tenant, text_of
from tests.waiting import until
from turnpike.api.tool_registry.v1 import tool_pb2


@pytest.fixture
def server() -> ScriptedServer:
    """A server of one tool."""
    return ScriptedServer([tool("work"), tool("safe", annotations={"idempotentHint": True})])


class Tasks:
    """A server's tasks, by the protocol's rules of 2025-11-25 or of 2026-07-28."""

    def __init__(self, server: ScriptedServer, *, on_demand: bool) -> None:
        self.status = "working"
        self.begun = 0
        self._on_demand = on_demand
        server.answer, server.tasks = self.begin, on_demand
        server.others = {
            "tasks/get": lambda _: self.shown(),
            "tasks/result": lambda _: said("long done"),
            "tasks/cancel": self.cancel,
        }

    def shown(self) -> dict[str, Any]:
        times = {"createdAt": "2026-01-01T00:00:00Z", "lastUpdatedAt": "2026-01-01T00:00:00Z"}
        return {"taskId": "t1", "status": self.status, "ttl": None, "pollInterval": 100, **times}

    def cancel(self, _: dict[str, Any]) -> dict[str, Any]:
        self.status = "cancelled"
        return self.shown()

    async def begin(self, called: Called) -> dict[str, Any]:
        if self._on_demand and "task" not in called.params:
            raise RpcError(-32601, "this tool runs as a task")
        self.begun += 1
        return {"task": self.shown()} | ({} if self._on_demand else {"resultType": "task"})


@pytest.mark.parametrize("on_demand", [True, False], ids=["2025-11-25", "2026-07-28"])
async def test_a_task_is_followed_to_its_end(
    tenant: Tenant, server: ScriptedServer, place: str, on_demand: bool
):
    server.era = server.era if on_demand else STATELESS
    tasks = Tasks(server, on_demand=on_demand)
    await tenant.connect(url=place)
    running = asyncio.create_task(tenant.run(await tenant.ask("effects/work")))
    await until(lambda: server.count("tasks/get") >= 2)
    tasks.status = "completed"

    call = await running

    assert (text_of(call), call.task, tasks.begun) == ("long done", "t1", 1)


async def test_a_task_outlives_the_replica_that_began_it(
    tenant: Tenant,
    other: Registry,
    server: ScriptedServer,
    place: str,
    superuser: asyncpg.Connection,
):
    """Its executor is gone; whoever takes the call asks after the task, and calls nothing."""
    server.era = STATELESS
    tasks = Tasks(server, on_demand=False)
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: server.count("tasks/get") >= 1)

    # As if the executor had died: the row is another's, who does not live.
    await superuser.execute(
        "UPDATE calls SET executor = gen_random_uuid() WHERE turn = $1", request.turn
    )
    asked = server.count("tasks/get")
    await until(lambda: server.count("tasks/get") > asked + 2)
    tasks.status = "completed"
    call = await running

    assert (text_of(call), tasks.begun) == ("long done", 1)
    assert await superuser.fetchval("SELECT attempt FROM calls WHERE turn = $1", request.turn) > 1


async def test_a_cancelled_task_is_cancelled_at_its_server(
    tenant: Tenant, server: ScriptedServer, place: str
):
    server.era = STATELESS
    tasks = Tasks(server, on_demand=False)
    await tenant.connect(url=place)
    request = await tenant.ask("effects/work")
    running = asyncio.create_task(tenant.run(request))
    await until(lambda: server.count("tasks/get") >= 1)

    await tenant.cancel(request)

    assert (await running).status == tool_pb2.CALL_STATUS_CANCELLED
    await until(lambda: tasks.status == "cancelled")
