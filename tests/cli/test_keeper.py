"""What is kept running, and how it is started again."""

import asyncio
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from turnpike.cli.stack.children import Child
from turnpike.cli.stack.errors import StackError
from turnpike.cli.suite.exits import stop_all
from turnpike.cli.suite.keeper import Keeper, describe_exit, restart_delay

LASTING = "import time; print('up', flush=True); time.sleep(60)"
DEAF = (
    "import signal, time; signal.signal(15, signal.SIG_IGN); "
    "print('up', flush=True); time.sleep(60)"
)


class Kept:
    """A program that is kept, and what was told about it; ready once it has written."""

    def __init__(self, folder: Path, program: str) -> None:
        self.log = folder / "kept.log"
        self.program = program
        self.told: list[str] = []
        self.changes = 0
        self.keeper = Keeper(
            "kept",
            self.log,
            start=self._start,
            ready=self._ready,
            tell=self.told.append,
            changed=self._changed,
        )

    @property
    def child(self) -> Child:
        assert self.keeper.child
        return self.keeper.child

    async def _start(self) -> Child:
        self.log.unlink(missing_ok=True)
        return Child([sys.executable, "-c", self.program], log=self.log)

    async def _ready(self) -> None:
        while "up" not in self.log.read_text():
            await asyncio.sleep(0.01)

    def _changed(self) -> None:
        self.changes += 1


@asynccontextmanager
async def kept(folder: Path, program: str) -> AsyncGenerator[Kept]:
    subject = Kept(folder, program)
    await subject.keeper.start()
    keeping = asyncio.create_task(subject.keeper.keep())
    try:
        yield subject
    finally:
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
        subject.child.stop()


async def test_what_is_killed_comes_back(tmp_path: Path):
    async with kept(tmp_path, LASTING) as subject:
        first = subject.child.pid
        subject.child.send(signal.SIGKILL)
        async with asyncio.timeout(15):
            while len(subject.told) < 2:
                await asyncio.sleep(0.01)

        assert subject.child.pid != first
        assert subject.changes == 2
        assert subject.told[0].startswith("kept was killed by SIGKILL; starting it again")
        assert subject.told[1] == f"kept is back (process {subject.child.pid})"


async def test_what_ends_before_it_is_ready_fails_with_its_last_words(tmp_path: Path):
    subject = Kept(tmp_path, "import sys; sys.exit('no such luck')")

    with pytest.raises(StackError, match=r"(?s)kept ended with status 1; see .*no such luck"):
        await subject.keeper.start()


def test_what_fails_again_and_again_is_waited_for_longer_and_longer():
    delays = [restart_delay(failures) for failures in range(9)]

    assert delays == [0, 0.25, 0.5, 1, 2, 4, 8, 10, 10]


@pytest.mark.parametrize(
    ("status", "text"),
    [(1, "ended with status 1"), (-9, "was killed by SIGKILL"), (-250, "was killed by signal 250")],
)
def test_an_end_is_described(status: int, text: str):
    assert describe_exit(status) == text


async def test_who_does_not_stop_is_killed_when_patience_ends(tmp_path: Path):
    subject = Kept(tmp_path, DEAF)
    await subject.keeper.start()

    await stop_all([subject.child], signal.SIGTERM, 0.1, asyncio.Event())

    assert subject.child.exit_status == -signal.SIGKILL


async def test_in_a_hurry_nobody_is_waited_for(tmp_path: Path):
    subject = Kept(tmp_path, DEAF)
    await subject.keeper.start()
    hurry = asyncio.Event()
    hurry.set()

    async with asyncio.timeout(15):
        await stop_all([subject.child], signal.SIGTERM, 60, hurry)

    assert subject.child.exit_status == -signal.SIGKILL
