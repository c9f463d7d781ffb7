"""Trying on while Postgres is away."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import TypeVar

from turnpike.database.failures import is_unavailable

logger = logging.getLogger(__name__)

T = TypeVar("T")

_PAUSE_SECONDS = 0.2


async def persistently(operation: Callable[[], Awaitable[T]]) -> T:
    """Returns what `operation` does, however long Postgres is away.

    Only for what is harmless to do twice.
    """
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("postgres is away: %s", type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)
