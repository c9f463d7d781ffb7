"""The SDK's dispatcher of messages, and waiting for the end of what it serves."""

import asyncio
from typing import Any

from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher


class WatchedDispatcher(JSONRPCDispatcher):
    """Says when the other side has gone."""

    def __init__(self, read_stream: Any, write_stream: Any) -> None:
        super().__init__(read_stream, write_stream)
        self.ended = asyncio.Event()

    async def run(self, *args: Any, **kwargs: Any) -> None:
        """Reads until the other side is gone."""
        try:
            await super().run(*args, **kwargs)
        finally:
            self.ended.set()


async def first_of(*events: asyncio.Event) -> None:
    """Returns when one of them is set."""
    async with asyncio.TaskGroup() as group:
        waits = [group.create_task(event.wait()) for event in events]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
