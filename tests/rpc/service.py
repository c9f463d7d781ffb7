"""A service of one process, started by test_server.py: `service.py ADDRESS METRICS`.

It prints its port, then `begun` for each call; a call lasts until draining begins.
"""

import asyncio
import sys
from datetime import timedelta
from typing import Any

from tests.rpc.peer import SERVICE, Peer
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import (
    add_GatekeeperServiceServicer_to_server,
)
from turnpike.rpc.process import run
from turnpike.rpc.server import listen, new_server, serve_until_signalled
from turnpike.telemetry.metrics import serve_metrics


async def serve() -> None:
    async with serve_metrics(sys.argv[2]):
        await serve_calls()


async def serve_calls() -> None:
    draining = asyncio.Event()

    async def last(_context: Any) -> None:
        print("begun", flush=True)
        await draining.wait()

    server = new_server("gatekeeper")
    add_GatekeeperServiceServicer_to_server(Peer(last), server)
    print(listen(server, sys.argv[1]), flush=True)
    await serve_until_signalled(
        server,
        drain_time=timedelta(seconds=0.2),
        grace_time=timedelta(seconds=5),
        services=[SERVICE],
        draining=draining,
    )
    print("ended", flush=True)


if __name__ == "__main__":
    run(serve)
