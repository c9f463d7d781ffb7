"""Ports that are planned now and listened on later, by several suites at once."""

import random
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager

import grpc
import pytest

from turnpike.cli.stack.errors import StackError
from turnpike.cli.stack.ports import free_ports

# Says which ports it got, and keeps them until its stdin ends.
PLANNER = """
import sys
from turnpike.cli.stack.ports import free_ports
print(*free_ports(int(sys.argv[1]), [int(port) for port in sys.argv[2:]]), flush=True)
sys.stdin.read()
"""


def test_a_port_is_given_once():
    random.seed(1)
    planned = free_ports(5)
    random.seed(1)

    assert not set(planned) & set(free_ports(5))


def test_suites_that_plan_at_once_never_get_the_same_port():
    # None of them listens yet: a port that is merely looked at would be free for all of them.
    few = free_ports_of_nobody(12)

    with planner(4, few) as first, planner(4, few) as second, planner(4, few) as third:
        assert sorted([*first, *second, *third]) == sorted(few)


def test_a_planned_port_is_free_again_when_its_planner_is_gone():
    few = free_ports_of_nobody(3)

    for _ in range(2):
        with planner(3, few) as got:
            assert sorted(got) == sorted(few)


def test_servers_listen_on_a_planned_port_again_and_again():
    (port,) = free_ports(1)

    for _ in range(2):
        with (
            socket.create_server(("127.0.0.1", port)) as server,
            socket.create_connection(("127.0.0.1", port), timeout=15),
        ):
            # Who closes first leaves the port in TIME_WAIT.
            server.accept()[0].close()


async def test_grpc_listens_on_a_planned_port():
    (port,) = free_ports(1)
    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])

    assert server.add_insecure_port(f"127.0.0.1:{port}") == port

    await server.stop(None)


def test_a_port_that_is_spoken_for_is_not_given():
    first, second = free_ports_of_nobody(2)

    assert free_ports(1, [first, second], but=first) == [second]


def test_too_few_ports_is_a_line():
    taken = free_ports(2)

    with pytest.raises(StackError, match=r"^no 1 ports are free between \d+ and \d+$"):
        free_ports(1, taken)


@contextmanager
def planner(count: int, among: list[int]) -> Generator[list[int]]:
    """Another process that plans `count` of these ports, and holds them meanwhile."""
    command = [sys.executable, "-c", PLANNER, str(count), *map(str, among)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield [int(port) for port in process.stdout.readline().split()]


def free_ports_of_nobody(count: int) -> list[int]:
    """Returns ports that a process held which is gone."""
    with planner(count, []) as ports:
        return ports
