"""However a run ends, nothing of it is left."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.cli.processes import eventually, is_running

SCRIPT = Path(__file__).with_name("guarded.py")


@pytest.fixture
def guarded(tmp_path: Path) -> Generator[tuple[subprocess.Popen[str], list[int]]]:
    """A guarded process; the ids of its inner process, child and grandchild."""
    command = [sys.executable, str(SCRIPT), str(tmp_path)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process, json.loads(process.stdout.readline())


def assert_nothing_is_left(pids: list[int]) -> None:
    eventually(lambda: not any(is_running(pid) for pid in pids))


def test_the_outer_process_holds_nothing_of_what_the_inner_one_needs(
    guarded: tuple[subprocess.Popen[str], list[int]],
):
    process, _ = guarded

    mapped = Path(f"/proc/{process.pid}/maps").read_text()

    assert "site-packages" not in mapped
    process.terminate()
    assert process.wait(30) == 7


def test_a_signal_to_the_outer_process_stops_the_inner_one_in_order(
    guarded: tuple[subprocess.Popen[str], list[int]],
):
    process, pids = guarded

    process.terminate()

    assert process.wait(30) == 7
    assert not any(is_running(pid) for pid in pids)


def test_when_the_outer_process_is_killed_the_inner_one_stops_in_order(
    guarded: tuple[subprocess.Popen[str], list[int]],
):
    process, pids = guarded

    process.kill()

    assert_nothing_is_left(pids)


def test_when_the_inner_process_is_killed_the_outer_one_cleans_up(
    guarded: tuple[subprocess.Popen[str], list[int]],
):
    process, pids = guarded

    os.kill(pids[0], signal.SIGKILL)

    _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    assert errors == "the supervisor was killed by SIGKILL; everything was stopped\n"
    assert not any(is_running(pid) for pid in pids)


def test_when_a_child_is_killed_what_it_left_is_still_ended_with_the_run(
    guarded: tuple[subprocess.Popen[str], list[int]],
):
    process, pids = guarded

    os.kill(pids[1], signal.SIGKILL)
    process.terminate()

    process.wait(30)
    assert not any(is_running(pid) for pid in pids)
