"""Tasks that look for work."""

import asyncio

from tests.waiting import until
from turnpike.embedding.claims import Polling


async def test_what_nobody_thought_of_ends_one_attempt_and_not_the_task() -> None:
    attempts = list[int]()

    async def attempt() -> bool:
        attempts.append(len(attempts))
        if len(attempts) == 1:
            raise RuntimeError("nobody thought of this")
        return False

    polling = Polling(attempt)
    async with polling.working(1, "work"):
        await until(lambda: len(attempts) == 1)
        await asyncio.sleep(0)
        polling.wake()
        await until(lambda: len(attempts) > 1)
