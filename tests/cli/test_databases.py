"""How a suite comes to its databases' ports."""

import socket
from pathlib import Path

import redis

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.redis import LocalRedis
from turnpike.cli.suite.databases import keep
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.running import Running


async def test_a_database_whose_port_was_taken_goes_to_another(tmp_path: Path):
    home = Home(tmp_path)
    home.create()
    server = LocalRedis(tmp_path / "redis")

    async def start() -> Child:
        server.spawn()
        return server.child

    with socket.create_server(("127.0.0.1", 0)) as taken:
        server.port = taken.getsockname()[1]
        url = await keep("redis", server, start, Running(home), lambda _: None)

        assert server.port != taken.getsockname()[1]
        with redis.Redis.from_url(url) as client:
            assert client.ping()
    server.stop()
