"""Waiting for processes to end, without threads."""

import asyncio
import os
import signal
from collections.abc import Sequence

from turnpike.cli.stack.children import Child


async def ended(child: Child) -> None:
    """Waits until `child` has ended."""
    if child.exit_status is not None:
        return
    descriptor = os.pidfd_open(child.pid)
    loop = asyncio.get_running_loop()
    gone = asyncio.Event()
    loop.add_reader(descriptor, gone.set)
    try:
        await gone.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)


async def stop_all(
    children: Sequence[Child],
    number: signal.Signals,
    patience: float,
    hurry: asyncio.Event,
) -> None:
    """Signals `children` and waits for their end, `patience` seconds at most; then kills.

    Once `hurry` is set nothing is waited for.
    """
    for child in children:
        child.send(number)
    async with asyncio.TaskGroup() as tasks:
        ends = [tasks.create_task(ended(child)) for child in children]
        impatience = tasks.create_task(_first(hurry, patience))
        rest = tasks.create_task(_all_done(ends))
        await asyncio.wait((impatience, rest), return_when=asyncio.FIRST_COMPLETED)
        impatience.cancel()
        for child in children:
            if child.exit_status is None:
                child.send(signal.SIGKILL)


async def _first(hurry: asyncio.Event, patience: float) -> None:
    try:
        async with asyncio.timeout(patience):
            await hurry.wait()
    except TimeoutError:
        return


async def _all_done(ends: Sequence[asyncio.Task[None]]) -> None:
    if ends:
        await asyncio.wait(ends)
