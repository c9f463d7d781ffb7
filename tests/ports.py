"""Ports for processes that cannot be given port 0."""

from turnpike.cli.stack.ports import free_ports


def free_port() -> int:
    """Returns a port that nothing listens on, until a server that the test starts does.

    Neither a connection nor another suite is given it meanwhile: this process holds it to its
    end. Servers that set SO_REUSEADDR, as all do, can listen there again and again.
    """
    (port,) = free_ports(1)
    return port
