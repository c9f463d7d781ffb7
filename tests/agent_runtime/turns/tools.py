"""Tools that count their effects, behind a real registry."""

import asyncio
from dataclasses import dataclass
from typing import Any

from tests.agent_runtime.serving import Tenant
from tests.doubles.effects_protocol import Protocol
from tests.tool_registry import serving as registries
from tests.waiting import until
from turnpike.api.tool_registry.v1.tool_call_service_pb2 import GetCallRequest
from turnpike.api.tool_registry.v1.tool_pb2 import CALL_STATUS_SUCCEEDED


@dataclass(frozen=True)
class Tools:
    """The connector `effects`, for any tenant."""

    registry: registries.Registry
    url: str
    protocol: Protocol

    async def offer(self, tenant: Tenant, **agent: Any) -> None:
        """Gives a tenant's agent the tools."""
        await registries.Tenant(self.registry, tenant.id).connect(url=self.url)
        agent.setdefault("tools", ["effects/*"])
        # Nobody is asked, but where a test is about that.
        agent.setdefault("policy", {"allow": ["*/*"]})
        await tenant.agent(**agent)

    def effects(self, tag: str) -> int:
        """Counts the effects that happened under a tag."""
        return self.protocol.journal.effects(tag)

    def hold(self, tag: str) -> asyncio.Event:
        """Lets no call under a tag end before what is returned is set."""
        return self.protocol.tools.held.setdefault(tag, asyncio.Event())

    async def runs(self, tag: str) -> None:
        """Returns when a call under a tag has had its effect."""
        await until(lambda: self.effects(tag) > 0)

    async def ran(self, tenant: Tenant, turn: str) -> None:
        """Returns when the registry knows how a turn's first call ended."""
        owner = registries.Tenant(self.registry, tenant.id)
        request = GetCallRequest(turn=turn, step=1, ordinal=0)

        async def has_run() -> bool:
            response = await self.registry.calls.GetCall(request, metadata=owner.as_service())
            return response.call.status == CALL_STATUS_SUCCEEDED

        await until(has_run)

    async def announce(self, tenant: Tenant, turn: str, *, fence: int) -> None:
        """Tells the registry of a claim."""
        await registries.Tenant(self.registry, tenant.id).announce(turn, fence)
