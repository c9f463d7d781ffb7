"""Free ports of the loopback interface."""

import random
import socket
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from turnpike.cli.stack.errors import StackError

_HOST = "127.0.0.1"
_LOWEST = 10240
_DEFAULT_EPHEMERAL = 32768
# Nobody listens yet on a port that is planned for what starts later, seconds from now: it is held
# until this process ends. Bare descriptors: nothing closes them, or warns of them, before that.
_held: list[int] = []


def free_ports(count: int, among: Sequence[int] = (), *, but: int = 0) -> list[int]:
    """Returns `count` ports that nobody listens on, and that nobody else is given by this.

    Each is held for as long as this process lives: its servers can listen there, but no other
    suite's search finds it, whether they listen yet or not. None is `but`, which is spoken for.
    They are `among` the given ones, or else not of the range that the kernel gives to outgoing
    connections: a server that is started again would find its port taken by some client. Raises
    StackError when there are too few.
    """
    candidates = among or range(_LOWEST, _highest())
    found: list[int] = []
    for port in random.sample(candidates, len(candidates)):
        if len(found) == count:
            break
        if port != but and _hold(port):
            found.append(port)
    if len(found) < count:
        raise StackError(f"no {count} ports are free between {candidates[0]} and {candidates[-1]}")
    return found


def _hold(port: int) -> bool:
    """Keeps `port` from everybody but servers that are told to listen on it."""
    holder = socket.socket()
    try:
        # Without SO_REUSEADDR this fails where anybody listens, or holds.
        holder.bind((_HOST, port))
    except OSError:
        holder.close()
        return False
    # From here on a server may share it, since it sets the same and this one never listens.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    _held.append(holder.detach())
    return True


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
