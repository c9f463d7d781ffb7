"""The five services, as whoever starts them must know them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """A service: how it is named, what it calls, what it stores where."""

    name: str
    calls: tuple[str, ...] = ()
    has_database: bool = False
    has_redis: bool = False
    has_secrets: bool = False
    has_blobs: bool = False

    @property
    def package(self) -> str:
        """The Python package, which is also the database schema and role."""
        return self.name.replace("-", "_")

    @property
    def prefix(self) -> str:
        """What its settings begin with in the environment."""
        return f"{self.package.upper()}_"

    @property
    def module(self) -> str:
        """What `python -m` runs."""
        return f"turnpike.{self.package}"

    @property
    def roles(self) -> tuple[str, ...]:
        """Its database roles: its own, and the one for sweeps."""
        return (self.package, f"{self.package}_system") if self.has_database else ()


GATEWAY = "gateway"

# In the order in which they are stopped.
SERVICES = (
    Service(
        GATEWAY,
        calls=("gatekeeper", "agent-runtime", "tool-registry", "embedding"),
        has_blobs=True,
    ),
    Service(
        "agent-runtime",
        calls=("gatekeeper", "tool-registry", "embedding"),
        has_database=True,
        has_redis=True,
        has_secrets=True,
        has_blobs=True,
    ),
    Service(
        "tool-registry",
        calls=("gatekeeper", "embedding"),
        has_database=True,
        has_secrets=True,
        has_blobs=True,
    ),
    Service(
        "embedding",
        calls=("gatekeeper", "agent-runtime", "tool-registry"),
        has_database=True,
        has_blobs=True,
    ),
    Service("gatekeeper", has_database=True, has_redis=True),
)
