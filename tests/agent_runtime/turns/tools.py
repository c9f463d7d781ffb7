"""Tools that count their effects, behind a real registry."""

from dataclasses import dataclass
from typing import Any

from tests.agent_runtime.serving import Tenant
from tests.doubles.effects_journal import Journal
from tests.tool_registry import serving as registries
from tests.waiting import until


@dataclass(frozen=True)
class Tools:
    """The connector `effects`, for any tenant."""

    registry: registries.Registry
    url: str
    journal: Journal

    async def offer(self, tenant: Tenant, **agent: Any) -> None:
        """Gives a tenant's agent the tools."""
        await registries.Tenant(self.registry, tenant.id).connect(url=self.url)
        agent.setdefault("tools", ["effects/*"])
        # Nobody is asked, but where a test is about that.
        agent.setdefault("policy", {"allow": ["*/*"]})
        await tenant.agent(**agent)

    def effects(self, tag: str) -> int:
        """Counts the effects that happened under a tag."""
        return self.journal.effects(tag)

    async def runs(self, tag: str) -> None:
        """Returns when a call under a tag has had its effect."""
        await until(lambda: self.effects(tag) > 0)

    async def announce(self, tenant: Tenant, turn: str, *, fence: int) -> None:
        """Tells the registry of a claim."""
        await registries.Tenant(self.registry, tenant.id).announce(turn, fence)
