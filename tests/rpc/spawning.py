"""Starts children while calls are under way: `python -m tests.rpc.spawning PACKAGE`.

Prints how many crashed. The package is imported before gRPC, as whoever runs it does.
"""

import asyncio
import importlib
import sys
from typing import Any

import uvloop

CHILDREN, AT_ONCE = 160, 4


async def main() -> None:
    """Starts the children, and prints."""
    from grpc_health.v1.health_pb2 import HealthCheckRequest
    from grpc_health.v1.health_pb2_grpc import HealthStub

    from tests.rpc.peer import Peer, served
    from turnpike.rpc.channel import open_channel

    crashed = 0

    async def call(health: Any) -> None:
        while True:
            await asyncio.gather(*(health.Check(HealthCheckRequest()) for _ in range(8)))

    async def spawn() -> None:
        nonlocal crashed
        for _ in range(CHILDREN // AT_ONCE):
            child = await asyncio.create_subprocess_exec("true")
            crashed += await child.wait() != 0

    async with served(Peer()) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        calling = [asyncio.create_task(call(HealthStub(channel))) for _ in range(2)]
        await asyncio.gather(*(spawn() for _ in range(AT_ONCE)))
        for task in calling:
            task.cancel()
        await asyncio.gather(*calling, return_exceptions=True)
    print(crashed)


if __name__ == "__main__":
    importlib.import_module(sys.argv[1])
    uvloop.run(main())
