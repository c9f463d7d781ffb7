"""Tools for conversations, and ledgers as Postgres has them."""

from collections.abc import AsyncGenerator
from pathlib import Path

import asyncpg
import pytest

from tests.agent_runtime.prefix.ledgers import Ledgers
from tests.agent_runtime.turns.tools import Tools
from tests.doubles.effects_journal import Journal
from tests.doubles.effects_protocol import Protocol
from tests.doubles.effects_server import EffectsServer
from tests.tool_registry import serving as registries


@pytest.fixture
async def tools(registry: registries.Registry, tmp_path: Path) -> AsyncGenerator[Tools]:
    """Tools that count their effects."""
    protocol = Protocol(Journal(tmp_path / "journal"))
    async with EffectsServer(protocol).listening() as url:
        yield Tools(registry, url, protocol)


@pytest.fixture
def ledgers(superuser: asyncpg.Connection) -> Ledgers:
    """What is stored, whoever's it is."""
    return Ledgers(superuser)
