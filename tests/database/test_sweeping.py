"""Sweeps that outlive what they depend on, and nothing else."""

import asyncio
from collections.abc import Sequence

import pytest
from sqlalchemy.exc import InterfaceError

from turnpike.database.sweeping import sweep_every


class _BucketAwayError(Exception):
    pass


class _Sweep:
    """Fails as it is told, one after another; then sets `swept`."""

    def __init__(self, failures: Sequence[Exception]) -> None:
        self.swept = asyncio.Event()
        self._failures = list(failures)

    async def __call__(self) -> None:
        if self._failures:
            raise self._failures.pop(0)
        self.swept.set()


async def _run(sweep: _Sweep) -> None:
    async with asyncio.timeout(15):
        await sweep_every(0.001, sweep, later="dust goes later", spared=(_BucketAwayError,))


async def test_a_sweep_goes_on_once_what_it_needs_is_back(caplog: pytest.LogCaptureFixture):
    away = InterfaceError("SELECT 1", None, Exception("connection is closed"))
    side_by_side = ExceptionGroup("of a task group", [away, away])
    sweep = _Sweep([away, side_by_side, _BucketAwayError("no bucket")])

    running = asyncio.create_task(_run(sweep))
    async with asyncio.timeout(15):
        await sweep.swept.wait()
    running.cancel()

    told = [each.message for each in caplog.records if each.name == sweep_every.__module__]
    assert told == [*["postgres is away; dust goes later"] * 2, "dust goes later: no bucket"]


async def test_a_fault_of_ours_ends_it():
    with pytest.raises(ZeroDivisionError):
        await _run(_Sweep([ZeroDivisionError()]))
