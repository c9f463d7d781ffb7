"""`turnpike up`: one run of a suite, from the lock to the last process."""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

from turnpike.cli.suite.credentials import load_credentials
from turnpike.cli.suite.given import check_given
from turnpike.cli.suite.home import Home
from turnpike.cli.suite.order import Order
from turnpike.cli.suite.suite import Suite
from turnpike.cli.terminal import Terminal


def run_suite(
    home: Home, order: Order, set_up: Callable[[str, str], None], terminal: Terminal
) -> None:
    """Runs a suite until SIGINT or SIGTERM.

    `set_up` is given the gateway's URL and the admin key when all serves, before that is announced.
    """
    home.create()
    # The outer process is the one that the user knows (see `guard.py`).
    with home.locked(os.getppid()):
        asyncio.run(_run(home, order, set_up, terminal))


async def _run(
    home: Home, order: Order, set_up: Callable[[str, str], None], terminal: Terminal
) -> None:
    credentials = load_credentials(home)
    suite = Suite(home, order, credentials, terminal)
    await check_given(order)
    terminal.progress(f"starting in {home.folder}; Ctrl-C stops")
    run = asyncio.create_task(_start_and_keep(suite, credentials.admin_key, set_up, terminal))
    _on_signals(run, suite)
    try:
        with suppress(asyncio.CancelledError):
            await run
        terminal.progress("stopping")
    finally:
        await suite.stop()
    terminal.progress("stopped")


async def _start_and_keep(
    suite: Suite, key: str, set_up: Callable[[str, str], None], terminal: Terminal
) -> None:
    await suite.start()
    await asyncio.to_thread(set_up, suite.url, key)
    suite.publish()
    terminal.result({"event": "ready", "url": suite.url, "key": key}, f"ready {suite.url}\n{key}")
    await suite.keep()


def _on_signals(run: asyncio.Task[None], suite: Suite) -> None:
    """The first signal stops the suite in order, the second at once."""

    def stop() -> None:
        if run.cancelling():
            suite.hurry()
        run.cancel()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
