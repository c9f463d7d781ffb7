"""What the user asked `turnpike up` for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """The wishes of one run; an empty URL asks for a database of the suite's own."""

    replicas: Mapping[str, int]
    http_port: int
    database_url: str
    redis_url: str
    otlp_endpoint: str
    stdio_commands: Sequence[Sequence[str]]
    environment: Mapping[str, str]
    """What every process inherits."""
