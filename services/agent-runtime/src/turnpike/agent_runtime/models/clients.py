"""The ways to language models, by provider."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import aiohttp

from turnpike.agent_runtime.models.litellm_client import LitellmClient
from turnpike.agent_runtime.models.openai_client import OpenAIClient
from turnpike.agent_runtime.models.prompt import ModelClient
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED
from turnpike.agent_runtime.models.scripted import ScriptedClient
from turnpike.egress.sessions import open_session

OPENAI = "openai"


class Clients:
    """Every way to a model, over one session that vets where it connects to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._own: dict[str, ModelClient] = {
            SCRIPTED: ScriptedClient(),
            OPENAI: OpenAIClient(session),
        }
        self._others = LitellmClient(session)

    def client(self, provider: str) -> ModelClient:
        """Returns the way to a provider's models."""
        return self._own.get(provider, self._others)


@asynccontextmanager
async def open_clients(*, allow_private: bool) -> AsyncGenerator[Clients]:
    """Opens the ways to models, and closes their connections after the block."""
    async with open_session(allow_private=allow_private) as session:
        yield Clients(session)
