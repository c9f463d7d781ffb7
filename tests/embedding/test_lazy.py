"""What is loaded on first need is loaded once."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.embedding.serving import WAIT_SECONDS
from turnpike.embedding.lazy import Lazy


async def test_all_who_ask_meanwhile_get_the_same_one() -> None:
    with ThreadPoolExecutor(4) as executor:
        lazy = Lazy(executor, object)

        made = await asyncio.gather(*(lazy.get() for _ in range(20)))

    assert len(set(made)) == 1


async def test_one_who_gives_up_does_not_stop_the_others() -> None:
    began, go_on = threading.Event(), threading.Event()
    makes: list[str] = []

    def make() -> str:
        makes.append("begun")
        began.set()
        assert go_on.wait(WAIT_SECONDS)
        return "made"

    with ThreadPoolExecutor(1) as executor:
        lazy = Lazy(executor, make)
        first = asyncio.create_task(lazy.get())
        assert await asyncio.to_thread(began.wait, WAIT_SECONDS)
        second = asyncio.create_task(lazy.get())
        await asyncio.sleep(0)  # so that the second waits too
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        go_on.set()

        assert await second == "made"
    assert len(makes) == 1


async def test_a_failure_is_told_and_then_tried_again() -> None:
    outcomes = [OSError("no such file"), None]

    def make() -> str:
        if error := outcomes.pop(0):
            raise error
        return "made"

    with ThreadPoolExecutor(1) as executor:
        lazy = Lazy(executor, make)
        with pytest.raises(OSError, match="no such file"):
            await lazy.get()

        assert await lazy.get() == "made"
