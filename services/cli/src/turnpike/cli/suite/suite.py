"""The processes of one `turnpike up`: started, kept running, stopped in order."""

import asyncio
import signal
from collections.abc import Mapping, Sequence

from turnpike.cli.errors import CommandError
from turnpike.cli.stack.children import Child, started
from turnpike.cli.stack.ports import free_ports, is_free
from turnpike.cli.suite.credentials import Credentials
from turnpike.cli.suite.databases import start_postgres, start_redis
from turnpike.cli.suite.exits import stop_all
from turnpike.cli.suite.health import grpc_serving, http_ready
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.keeper import Keeper
from turnpike.cli.suite.logs import rotate
from turnpike.cli.suite.migrations import migrate
from turnpike.cli.suite.order import Order
from turnpike.cli.suite.plan import (
    Process,
    Surroundings,
    environment_of,
    migration_environment,
    plan_processes,
    ports_needed,
    service_command,
)
from turnpike.cli.suite.running import Running
from turnpike.cli.suite.services import GATEWAY, SERVICES, Service
from turnpike.cli.suite.strays import end_strays
from turnpike.cli.suite.together import together
from turnpike.cli.terminal import Terminal

_SERVICE_PATIENCE = 2.4
_DATABASE_PATIENCE = 1.5
# What a killed service had started has so long to notice.
_STRAY_PATIENCE = 2.0


class Suite:
    """The databases and services of one home."""

    def __init__(
        self, home: Home, order: Order, credentials: Credentials, terminal: Terminal
    ) -> None:
        self._home = home
        self._order = order
        self._credentials = credentials
        self._tell = terminal.progress
        self._running = Running(home)
        self._processes = _plan(order)
        self._hurry = asyncio.Event()
        self._restarted = asyncio.Event()
        self._postgres_url: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._redis_url: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    @property
    def url(self) -> str:
        """Where the first gateway serves."""
        return f"http://{self._processes[0].address}"

    def hurry(self) -> None:
        """Makes `stop` kill instead of wait."""
        self._hurry.set()

    async def start(self) -> None:
        """Starts everything, all at once as far as it goes; returns when all of it serves."""
        await together(
            self._start_postgres(),
            self._start_redis(),
            *(self._start_service(service) for service in SERVICES),
        )

    def publish(self) -> None:
        """Writes `admin.key` and `run.json`."""
        self._home.write_private(self._home.admin_key, self._credentials.admin_key)
        self._running.publish()

    async def keep(self) -> None:
        """Starts again whatever ends, until cancelled."""
        await together(self._sweep(), *(keeper.keep() for keeper in self._running.keepers()))

    async def stop(self) -> None:
        """Stops everything in order: who takes requests first, the databases last."""
        for service in SERVICES:
            await self._stop(self._running.replicas(service), signal.SIGTERM, _SERVICE_PATIENCE)
        end_strays(started())
        await self._stop(self._running.databases, signal.SIGINT, _DATABASE_PATIENCE)
        end_strays(started())
        self._running.withdraw()

    async def _start_postgres(self) -> None:
        url = self._order.database_url or await start_postgres(
            self._home, self._running, self._tell
        )
        self._running.postgres_url = url
        self._postgres_url.set_result(url)
        self._tell("postgres serves")

    async def _start_redis(self) -> None:
        url = self._order.redis_url or await start_redis(self._home, self._running, self._tell)
        self._running.redis_url = url
        self._redis_url.set_result(url)
        self._tell("redis serves")

    async def _start_service(self, service: Service) -> None:
        surroundings = Surroundings(
            database_url=await self._postgres_url if service.has_database else "",
            redis_url=await self._redis_url if service.has_redis else "",
            otlp_endpoint=self._order.otlp_endpoint,
            stdio_commands=self._order.stdio_commands,
            blobs_url=self._home.blobs.as_uri(),
        )
        if service.has_database:
            settings = migration_environment(service, self._credentials, surroundings)
            await migrate(service, self._environment(settings), self._home.logs)
            self._tell(f"{service.name} is migrated")
        replicas = [process for process in self._processes if process.service is service]
        await together(*(self._start_process(process, surroundings) for process in replicas))
        self._tell(f"{service.name} serves")

    async def _start_process(self, process: Process, surroundings: Surroundings) -> None:
        log = self._home.logs / f"{process.name}.log"
        rotate(log)
        settings = environment_of(process, self._processes, self._credentials, surroundings)
        environment = self._environment(settings)

        async def start() -> Child:
            return Child(service_command(process.service), log=log, env=environment)

        keeper = Keeper(
            process.name,
            log,
            start=start,
            ready=lambda: _serves(process),
            tell=self._tell,
            changed=self._changed,
        )
        self._running.services.append((process, keeper))
        await keeper.start()

    def _environment(self, settings: Mapping[str, str]) -> dict[str, str]:
        return {**self._order.environment, **settings}

    async def _stop(
        self, keepers: Sequence[Keeper], number: signal.Signals, patience: float
    ) -> None:
        children = [keeper.child for keeper in keepers if keeper.child]
        await stop_all(children, number, patience, self._hurry)

    def _changed(self) -> None:
        self._running.write()
        self._restarted.set()

    async def _sweep(self) -> None:
        """Ends what a killed service had started itself and left behind."""
        while True:
            self._restarted.clear()
            await self._restarted.wait()
            await asyncio.sleep(_STRAY_PATIENCE)
            end_strays(started())


async def _serves(process: Process) -> None:
    if process.service.name == GATEWAY:
        await http_ready(f"http://{process.address}")
    else:
        await grpc_serving(process.address)


def _plan(order: Order) -> list[Process]:
    port = order.http_port
    if port and not is_free("127.0.0.1", port):
        raise CommandError(
            f"port {port} is taken; give another with --http-port or TURNPIKE_HTTP_PORT"
        )
    ports = free_ports(ports_needed(order.replicas), but=port)
    return plan_processes(order.replicas, port, ports)
