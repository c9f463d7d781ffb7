"""Sweeps that go on for as long as their process does."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import NoReturn

from turnpike.database.failures import is_unavailable

logger = logging.getLogger(__name__)


async def sweep_every(
    seconds: float,
    sweep: Callable[[], Awaitable[object]],
    *,
    later: str,
    spared: tuple[type[Exception], ...] = (),
) -> NoReturn:
    """Sweeps every so many seconds, a fifth more or less, until cancelled.

    Args:
        seconds: Between a sweep's end and the next one's beginning.
        sweep: May be broken off anywhere, and begun again.
        later: What the log says when it failed, e.g. "files are deleted later".
        spared: What it may raise beside Postgres being away. Anything else is raised: it is a
            fault of ours.
    """
    while True:
        await asyncio.sleep(seconds * random.uniform(0.8, 1.2))  # noqa: S311 # jitter
        try:
            await sweep()
        except spared as error:
            logger.warning("%s: %s", later, error)
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("postgres is away; %s", later)
