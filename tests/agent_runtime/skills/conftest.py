"""Replicas on databases of their own, as turns have them."""

from tests.agent_runtime.turns.conftest import here, provider, tools, world

__all__ = ["here", "provider", "tools", "world"]
