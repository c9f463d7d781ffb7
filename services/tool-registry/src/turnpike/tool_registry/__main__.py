"""Composition root: with `servicers`, `core` and `opening`, all that knows every other module."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import grpc
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError

from turnpike.rpc.process import StartError, metrics_served, start
from turnpike.rpc.server import listen, serve_until_signalled
from turnpike.tool_registry.core import Core, assembled
from turnpike.tool_registry.execution import Executor
from turnpike.tool_registry.listening import Listeners
from turnpike.tool_registry.opening import Opened, opened
from turnpike.tool_registry.renewals import Renewals
from turnpike.tool_registry.revocations import Revocations
from turnpike.tool_registry.revoking import Revoking
from turnpike.tool_registry.servicers import SERVICES, server_of
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.upkeep import Upkeep


@dataclass(frozen=True, slots=True)
class Replica:
    """A server with everything that it serves, and what must wind down with it."""

    server: grpc.aio.Server
    executor: Executor
    upkeep: Upkeep
    renewals: Renewals


async def serve(settings: Settings) -> None:
    """Serves tool-registry until told to stop, then closes what it opened."""
    async with open_replica(settings) as replica, metrics_served(settings.metrics_address):
        listen(replica.server, settings.listen_address, settings.tls)
        draining = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            # What nobody runs is from then on for the replicas that stay.
            waiting = tasks.create_task(replica.upkeep.stop_taking_after(draining))
            await serve_until_signalled(
                replica.server,
                drain_time=settings.drain_time,
                grace_time=settings.grace_time,
                services=SERVICES,
                draining=draining,
            )
            waiting.cancel()
        # Calls that nobody watches have the same grace. What is left then is
        # settled by whoever sees that this process is gone.
        await replica.executor.drained(settings.grace_time)
        await replica.renewals.drained(settings.grace_time)


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncGenerator[Replica]:
    """Opens a server with everything that it serves, but not its ports.

    Raises:
        StartError: Postgres does not answer, or is not migrated.
    """
    async with opened(settings) as within:
        core = assembled(settings, within)
        upkeep = Upkeep(
            engine=within.system,
            lease=core.lease,
            executor=core.executor,
            discoveries=core.discoveries,
            links=core.links,
            listeners=Listeners(
                access=core.access,
                discoveries=core.discoveries,
                links=core.links,
                tasks=within.tasks,
            ),
        )
        await _begin(upkeep)
        _begin_sweeps(settings, within, core, upkeep)
        server = server_of(settings, within, core)
        yield Replica(server, core.executor, upkeep, core.renewals)


def _begin_sweeps(settings: Settings, within: Opened, core: Core, upkeep: Upkeep) -> None:
    within.tasks.create_task(upkeep.run())
    within.tasks.create_task(core.shelf.sweep_forever(within.system, settings.artifact_retention))
    revoking = Revoking(
        system=within.system,
        revocations=Revocations(core.envelope),
        allow_private=settings.egress_allow_private,
    )
    within.tasks.create_task(revoking.sweep_forever())


async def _begin(upkeep: Upkeep) -> None:
    try:
        await upkeep.begin()
    except ProgrammingError as error:
        raise StartError("migrate first: python -m turnpike.tool_registry.migrate") from error
    except (SQLAlchemyError, OSError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error


def main() -> None:
    """Runs tool-registry from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
