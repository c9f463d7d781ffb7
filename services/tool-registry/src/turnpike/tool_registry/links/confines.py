"""What MCP servers are held to."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Confines:
    """What an operator allows, for every server."""

    allow_private: bool
    """Whether they may be at private and loopback addresses."""

    environment: tuple[str, ...] = ("PATH", "HOME", "LOGNAME", "SHELL", "TERM", "USER")
    """Variables of ours that children see, beside those of their connectors."""

    memory_bytes: int = 2 * 1024**3
    """How much a child may write to."""

    cpu_seconds: int = 3600
    """How long a child may compute."""
