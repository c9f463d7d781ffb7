"""The ways to language models, by provider."""

import asyncio
import secrets
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from typing import Protocol

import aiohttp

from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.kept import KeptSessions
from turnpike.agent_runtime.models.litellm_client import LitellmClient
from turnpike.agent_runtime.models.openai_client import OpenAIClient
from turnpike.agent_runtime.models.prompt import ModelClient, Piece, Prompt
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED
from turnpike.agent_runtime.models.scripted import ScriptedClient
from turnpike.egress.sessions import open_session

OPENAI = "openai"


class _Way(Protocol):
    def stream(
        self, prompt: Prompt, session: aiohttp.ClientSession
    ) -> AsyncGenerator[list[Piece]]: ...


class _Lent:
    """A way to models over a session that is lent for each call."""

    def __init__(self, kept: KeptSessions, way: _Way) -> None:
        self._kept = kept
        self._way = way

    async def stream(self, prompt: Prompt) -> AsyncGenerator[list[Piece]]:
        async with (
            self._kept.lease(prompt.model) as session,
            aclosing(self._way.stream(prompt, session)) as stream,
        ):
            async for pieces in stream:
                yield pieces


class Clients:
    """Every way to a model, over sessions that vet where they connect to."""

    def __init__(self, kept: KeptSessions) -> None:
        self.kept = kept
        self._own: dict[str, ModelClient] = {
            SCRIPTED: ScriptedClient(),
            OPENAI: _Lent(kept, OpenAIClient()),
        }
        self._others = _Lent(kept, LitellmClient())

    def client(self, provider: str) -> ModelClient:
        """Returns the way to a provider's models."""
        return self._own.get(provider, self._others)


@asynccontextmanager
async def open_clients(*, allow_private: bool, most: int = 1000) -> AsyncGenerator[Clients]:
    """Opens the ways to models, and closes their connections after the block.

    Args:
        allow_private: Whether models may be at private addresses.
        most: How many credentials' connections are kept.
    """
    kept = KeptSessions(
        lambda addresses: open_session(allow_private=allow_private, addresses=addresses),
        # They never leave this process.
        Fingerprints(secrets.token_bytes(32)),
        allow_private=allow_private,
        most=most,
    )
    sweeping = asyncio.get_running_loop().create_task(kept.serve())
    try:
        yield Clients(kept)
    finally:
        sweeping.cancel()
        await kept.close()
