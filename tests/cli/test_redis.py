"""What whoever starts a Redis from the wheel relies on."""

import signal
from pathlib import Path

import pytest
import redis

from tests.cli.processes import eventually, is_running, owner
from turnpike.cli.stack.redis import LocalRedis


def test_it_answers_whoever_has_its_url(tmp_path: Path):
    with LocalRedis(tmp_path) as server, redis.Redis.from_url(server.url) as client:
        assert client.set("key", "value")


def test_it_refuses_whoever_has_not(tmp_path: Path):
    with (
        LocalRedis(tmp_path) as server,
        redis.Redis(port=server.port) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.get("key")


def test_its_password_is_on_no_command_line(tmp_path: Path):
    with LocalRedis(tmp_path) as server:
        command = Path(f"/proc/{server.child.pid}/cmdline").read_text()

        assert server.url.split(":")[2].split("@")[0] not in command


def test_a_server_that_is_started_again_keeps_its_address(tmp_path: Path):
    with LocalRedis(tmp_path) as server:
        url = server.url
        server.child.send(signal.SIGKILL)
        eventually(lambda: server.child.exit_status is not None)
        server.start()

        assert server.url == url
        with redis.Redis.from_url(server.url) as client:
            assert client.ping()


def test_it_goes_with_its_owner(tmp_path: Path):
    with owner(tmp_path) as (process, facts):
        process.kill()

        eventually(lambda: not is_running(facts["pids"][1]))
