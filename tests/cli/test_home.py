"""One suite a home, whatever became of the last one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.target import Target, find_target
from turnpike.cli.settings import Settings
from turnpike.cli.suite.home import Home

HOLDER = """
import os, sys
from pathlib import Path
from turnpike.cli.suite.home import Home
home = Home(Path(sys.argv[1]))
with home.locked(os.getpid()):
    print("locked", flush=True)
    sys.stdin.read()
"""


def test_a_home_that_is_in_use_is_refused_at_once(tmp_path: Path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()

        with (
            pytest.raises(CommandError, match=rf"already runs on .*process {holder.pid}"),
            Home(tmp_path).locked(os.getpid()),
        ):
            pass
        holder.kill()

    with Home(tmp_path).locked(os.getpid()):
        assert (tmp_path / "lock").read_text() == str(os.getpid())


def test_a_file_is_replaced_whole_and_for_its_owner_alone(tmp_path: Path):
    home = Home(tmp_path)
    (tmp_path / "run.json.new").write_text("half of it")

    home.write_private(home.run_file, "{}")

    assert home.run_file.read_text() == "{}"
    assert home.run_file.stat().st_mode & 0o777 == 0o600


def test_a_home_that_cannot_be_made_is_one_line(tmp_path: Path):
    (tmp_path / "file").touch()

    with pytest.raises(CommandError, match="cannot use"):
        Home(tmp_path / "file" / "home").create()


def test_the_running_suite_is_found_by_its_home(tmp_path: Path):
    (tmp_path / "run.json").write_text(
        '{"processes": [{"grpc": "127.0.0.1:1"}, {"http": "http://127.0.0.1:2"}]}'
    )
    (tmp_path / "admin.key").write_text("tpk_x")

    target = find_target(Settings(home=tmp_path), url="", key="")

    assert target == Target("http://127.0.0.1:2", "tpk_x")


def test_options_go_before_the_environment_and_that_before_the_home(tmp_path: Path):
    settings = Settings(home=tmp_path, url="http://environment/", key="tpk_environment")

    assert find_target(settings, "", "tpk_option") == Target("http://environment", "tpk_option")


@pytest.mark.parametrize("content", ["{}", "[]", "{", '{"processes": "none"}'])
def test_a_run_file_that_makes_no_sense_is_one_line(tmp_path: Path, content: str):
    (tmp_path / "run.json").write_text(content)

    with pytest.raises(CommandError, match=r"run\.json"):
        find_target(Settings(home=tmp_path), "", "tpk_x")
