"""Free ports of the loopback interface."""

import random
import socket
from contextlib import suppress
from pathlib import Path

_LOWEST = 10240
_DEFAULT_EPHEMERAL = 32768
_TRIES = 1000
# Nobody listens yet on a port that is planned for what starts later.
_given: set[int] = set()


def free_ports(count: int) -> list[int]:
    """Returns `count` ports that nobody listens on, never one that this process got before.

    They are not of the range that the kernel gives to outgoing connections: a server that is
    started again would find its port taken by some client.
    """
    found: set[int] = set()
    for _ in range(_TRIES):
        if len(found) == count:
            break
        port = random.randrange(_LOWEST, _highest())  # noqa: S311 # no secret
        if port not in _given and is_free("127.0.0.1", port):
            found.add(port)
            _given.add(port)
    return list(found)


def is_free(host: str, port: int) -> bool:
    """Whether `port` can be listened on."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
            listener.listen()
        except OSError:
            return False
    return True


def _highest() -> int:
    with suppress(OSError, ValueError):
        lowest = int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
        if lowest > 2 * _LOWEST:
            return lowest
    return _DEFAULT_EPHEMERAL
