"""Claims of jobs: held for a while, prolonged while somebody works, lost to whoever comes after."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

logger = logging.getLogger(__name__)

LEASE_SECONDS = 10
"""How long a claim lasts that is not renewed: so long a killed process is waited for."""

MAX_ATTEMPTS = 5
"""How many claims a job may wear out, before it is taken for what kills its holders."""

POLL_SECONDS = 1.0
"""How often jobs are looked for that other replicas' callers made."""

_RENEW_SECONDS = LEASE_SECONDS / 4


class Polling:
    """Tasks that each do what `attempt` finds to do, and look again.

    `attempt` returns whether there was something.
    """

    def __init__(self, attempt: Callable[[], Awaitable[bool]]) -> None:
        self._attempt = attempt
        self._wanted = asyncio.Event()

    def wake(self) -> None:
        """Has somebody look now."""
        self._wanted.set()

    @asynccontextmanager
    async def working(self, count: int, name: str) -> AsyncGenerator[None]:
        """Does what there is while the block runs, so much at a time.

        What is under way at its end is cancelled.
        """
        tasks = [
            asyncio.create_task(self._work(), name=f"{name} {number}") for number in range(count)
        ]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _work(self) -> None:
        while True:
            self._wanted.clear()
            if not await self._attempted():
                try:
                    async with asyncio.timeout(POLL_SECONDS):
                        await self._wanted.wait()
                except TimeoutError:
                    continue

    async def _attempted(self) -> bool:
        try:
            return await self._attempt()
        except Exception:
            # A task that ended would be missed by nobody, and its jobs would wait for ever.
            logger.exception("a job stopped, and is left to its claim's end")
            return False


class ClaimLostError(Exception):
    """The job is another's by now, or nobody's."""


@asynccontextmanager
async def renewing(renew: Callable[[], Awaitable[None]], job: object) -> AsyncGenerator[None]:
    """Prolongs a claim while the block runs, and ends the block when it is lost.

    Raises:
        ClaimLostError: It was lost.
    """
    lost: list[BaseException] = []
    working = asyncio.current_task()

    async def go_on() -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            try:
                await renew()
            except ClaimLostError as error:
                lost.append(error)
                if working is not None:
                    working.cancel()
                return
            except Exception:
                # The database may be back before the claim runs out.
                logger.warning("the claim of %s could not be renewed", job, exc_info=True)

    task = asyncio.create_task(go_on(), name=f"renew {job}")
    try:
        yield
    except asyncio.CancelledError:
        if lost and working is not None and not working.uncancel():
            raise ClaimLostError from lost[0]
        raise
    finally:
        task.cancel()
