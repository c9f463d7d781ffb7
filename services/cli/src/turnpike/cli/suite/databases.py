"""PostgreSQL and Redis of a local suite, kept running like its services."""

import asyncio
from collections.abc import Awaitable, Callable

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError
from turnpike.cli.stack.ports import is_free
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.cli.stack.redis import LocalRedis
from turnpike.cli.stack.server import LocalServer
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.keeper import Keeper
from turnpike.cli.suite.running import Running

_ATTEMPTS = 3


async def start_postgres(home: Home, running: Running, tell: Callable[[str], None]) -> str:
    """Starts the home's own PostgreSQL; returns its URL."""
    server = LocalPostgres(home.folder / "postgres", log=home.logs / "postgres.log")

    async def start() -> Child:
        await asyncio.to_thread(server.prepare)
        # On the loop's own thread: the kernel ties the server to the thread that starts it.
        server.spawn()
        return server.child

    return await keep("postgres", server, start, running, tell)


async def start_redis(home: Home, running: Running, tell: Callable[[str], None]) -> str:
    """Starts the home's own Redis; returns its URL."""
    server = LocalRedis(home.folder / "redis", log=home.logs / "redis.log")

    async def start() -> Child:
        server.spawn()
        return server.child

    return await keep("redis", server, start, running, tell)


async def keep(
    name: str,
    server: LocalServer,
    start: Callable[[], Awaitable[Child]],
    running: Running,
    tell: Callable[[str], None],
) -> str:
    """Starts a server and keeps it running; returns its URL.

    When somebody else came first to its port, it goes to another one.
    """

    async def ready() -> None:
        if not await asyncio.to_thread(server.wait_ready):
            raise StackError(f"{name} ended")

    keeper = Keeper(name, server.log, start=start, ready=ready, tell=tell, changed=running.write)
    running.databases.append(keeper)
    await _start(keeper, server)
    return server.url


async def _start(keeper: Keeper, server: LocalServer) -> None:
    for _ in range(_ATTEMPTS - 1):
        try:
            await keeper.start()
        except StackError:
            if is_free("127.0.0.1", server.port):
                raise
            server.port = 0
        else:
            return
    await keeper.start()
