"""The turns' fixtures: replicas on a database of the module's own."""

from tests.agent_runtime.turns.conftest import here, provider, tenant, tools, world

__all__ = ["here", "provider", "tenant", "tools", "world"]
