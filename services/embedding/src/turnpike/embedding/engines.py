"""What makes vectors: models that run in this process."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import Executor
from typing import Protocol

from turnpike.embedding.lazy import Lazy
from turnpike.embedding.model import Item


class Encoder(Protocol):
    """A loaded model, at work in a thread."""

    def encode(self, sequences: Sequence[Sequence[int]], width: int) -> list[bytes]:
        """Returns the vector of each sequence, padded to `width`."""
        ...


class LocalEngine:
    """Runs an encoder in threads of its own."""

    def __init__(self, encoder: "Lazy[Encoder]", executor: Executor) -> None:
        self._encoder = encoder
        self._executor = executor

    async def ready(self) -> None:
        """Returns once the model is loaded; raises why it cannot be."""
        await self._encoder.get()

    async def embed(self, items: Sequence[Item], width: int) -> list[bytes]:
        """Returns the vector of each text, padded to `width` tokens."""
        encoder = await self._encoder.get()
        loop, sequences = asyncio.get_running_loop(), [item.ids for item in items]
        return await loop.run_in_executor(self._executor, encoder.encode, sequences, width)
