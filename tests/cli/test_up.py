"""`turnpike up`, and the commands that talk to what it runs."""

import json
import os
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx
import psycopg
import pytest
import redis

from tests.cli.processes import eventually
from tests.cli.suites import TURNPIKE, Suite, none_runs, turnpike, turnpike_environment, up

# Whole suites start here, on a machine that may be slow.
pytestmark = pytest.mark.timeout(300)

SET_UP = """
kind: Agent
name: helper
spec: {model: scripted, instructions: Be brief.}
---
kind: Model
name: scripted
spec: {provider: scripted, model: scripted, api_key: "env:HOME"}
"""


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Generator[Suite]:
    """One suite for the tests that leave it as they find it."""
    folder = tmp_path_factory.mktemp("up")
    folder.chmod(0o700)
    config = folder / "set-up.yaml"
    config.write_text(SET_UP)
    # What the user's own folder holds is nobody's business.
    for name in ("redis", "mcp", "grpc", "platform"):
        (folder / f"{name}.py").write_text("raise SystemExit('of the current folder')")
    with up(folder / "home", "--replicas", "agent-runtime=2", "--config", str(config)) as running:
        yield running


def test_what_ready_promises_is_there(suite: Suite):
    assert suite.key.startswith("tpk_")
    assert (suite.home / "admin.key").read_text() == suite.key
    assert (suite.home / "admin.key").stat().st_mode & 0o777 == 0o600
    # A process that stands still for a while is not ready meanwhile.
    eventually(lambda: httpx.get(f"{suite.url}/readyz", trust_env=False).status_code == 200)


def test_every_process_is_named_with_its_addresses(suite: Suite):
    processes = {entry["name"]: entry for entry in suite.run["processes"]}

    assert sorted(processes) == [
        "agent-runtime-1",
        "agent-runtime-2",
        "embedding-1",
        "gatekeeper-1",
        "gateway-1",
        "tool-registry-1",
    ]
    assert processes["gateway-1"]["http"] == suite.url
    assert processes["agent-runtime-2"]["service"] == "agent-runtime"
    for entry in processes.values():
        assert os.path.exists(f"/proc/{entry['pid']}")
        assert ("grpc" in entry) != ("http" in entry)
        assert httpx.get(entry["metrics"], trust_env=False).status_code == 200


def test_the_databases_are_named_with_urls_that_work(suite: Suite):
    with psycopg.connect(suite.run["postgres"]) as connection:
        schemas = connection.execute("SELECT nspname FROM pg_namespace").fetchall()
    with redis.Redis.from_url(suite.run["redis"]) as client:
        assert client.ping()

    assert {("gatekeeper",), ("agent_runtime",), ("tool_registry",)} <= set(schemas)


def test_a_second_suite_on_the_same_home_is_refused(suite: Suite):
    run = suite.turnpike("up", "--http-port", "0")

    assert run.returncode == 1
    assert run.stderr.startswith(f"a suite already runs on {str(suite.home)!r}")
    assert run.stderr.count("\n") == 1


def test_doctor_finds_nothing_wrong(suite: Suite):
    eventually(lambda: suite.turnpike("doctor").returncode == 0)
    run = suite.turnpike("doctor")

    assert "ok    agent-runtime-2: serves" in run.stdout


def test_the_config_was_applied_before_ready_and_applies_again(suite: Suite):
    run = suite.turnpike("apply", "-f", "-", stdin=SET_UP)

    assert run.stderr == ""
    assert run.stdout == "Model scripted: unchanged\nAgent helper: unchanged\n"


def test_applying_says_what_it_did(suite: Suite):
    first = "kind: Agent\nname: other\nspec: {model: scripted, instructions: one}"

    created = suite.turnpike("apply", "-f", "-", stdin=first)
    changed = suite.turnpike("apply", "-f", "-", "--json", stdin=first.replace("one", "two"))

    assert created.stdout == "Agent other: created\n"
    assert json.loads(changed.stdout) == {"kind": "Agent", "name": "other", "result": "changed"}


def test_a_mistake_that_only_the_suite_can_see_changes_nothing(suite: Suite):
    text = (
        "kind: Model\nname: newcomer\nspec: {provider: scripted, model: x}\n---\n"
        "kind: Agent\nname: orphan\nspec:\n  model: nobody\n---\n"
        "kind: Connector\nname: shell\nspec: {transport: stdio, command: [sh]}\n"
    )

    run = suite.turnpike("apply", "-f", "-", stdin=text)

    assert run.returncode == 1
    assert run.stdout == ""
    assert "<stdin>:8: document 2: Agent 'orphan': spec.model: " in run.stderr
    assert "<stdin>:12: document 3: Connector 'shell': spec.command: " in run.stderr
    assert run.stderr.endswith("2 mistakes; nothing was changed\n")
    after = httpx.get(
        f"{suite.url}/api/v1/models/newcomer",
        headers={"authorization": f"Bearer {suite.key}"},
        trust_env=False,
    )
    assert after.status_code == 404


def test_the_default_agent_answers_and_says_what_it_is(suite: Suite):
    run = suite.turnpike("chat", "default", "hello there")

    assert run.returncode == 0, run.stderr
    assert "scripted" in run.stdout


def test_a_chat_may_come_from_stdin_and_be_events(suite: Suite):
    run = suite.turnpike("chat", "helper", "--json", stdin="hello")

    events = [json.loads(line) for line in run.stdout.splitlines()]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert events[0]["type"] == "turn.started"
    assert events[-1]["type"] == "turn.finished"
    assert events[-1]["status"] == "COMPLETED"


def test_a_chat_with_nobody_is_a_line(suite: Suite):
    run = suite.turnpike("chat", "nobody", "hello")

    assert run.returncode == 1
    assert "NOT_FOUND" in run.stderr
    assert "Traceback" not in run.stderr


def test_an_interrupted_chat_cancels_its_turn(suite: Suite):
    chat = ["chat", "helper", "a long story", "--json", "--home", str(suite.home)]
    with subprocess.Popen(
        [str(TURNPIKE), *chat],
        env=turnpike_environment(HTTP_PROXY="http://127.0.0.1:1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        first = json.loads(process.stdout.readline())
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)

    events = [first, *map(json.loads, output.splitlines())]
    assert "Traceback" not in errors
    assert events[-1]["type"] == "turn.finished"
    assert events[-1]["status"] in ("CANCELLED", "COMPLETED")


def test_turns_are_listed_watched_and_cancelled(suite: Suite):
    suite.turnpike("chat", "helper", "hello")

    listed = suite.turnpike("turns", "list", "--limit", "1", "--json")
    turn = json.loads(listed.stdout)
    watched = suite.turnpike("turns", "watch", turn["id"])
    cancelled = suite.turnpike("turns", "cancel", turn["id"], "--json")

    assert turn["status"] == "COMPLETED"
    assert watched.stdout.strip()
    assert json.loads(cancelled.stdout)["status"] == "COMPLETED"


def test_a_key_works_until_it_is_revoked(suite: Suite):
    created = json.loads(suite.turnpike("keys", "create", "friend", "--json").stdout)
    listing = ("turns", "list", "--key", created["key"])

    before = suite.turnpike(*listing)
    revoked = suite.turnpike("keys", "revoke", created["id"])

    assert before.returncode == 0, before.stderr
    assert revoked.stdout == f"revoked {created['id']}\n"
    eventually(lambda: suite.turnpike(*listing).returncode == 1)
    listed = suite.turnpike("keys", "list").stdout.splitlines()
    assert any(created["id"] in line and "revoked" in line for line in listed)
    assert created["key"] not in "".join(listed)


@pytest.mark.parametrize("name", ["agent-runtime-2", "gateway-1", "tool-registry-1"])
def test_a_killed_service_is_back_under_its_name_and_addresses(suite: Suite, name: str):
    before = suite.entry(name)

    os.kill(before["pid"], signal.SIGKILL)
    eventually(lambda: suite.entry(name)["pid"] != before["pid"])
    eventually(lambda: suite.turnpike("doctor").returncode == 0)

    assert {**suite.entry(name), "pid": 0} == {**before, "pid": 0}


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_killed_database_is_back_at_its_address(suite: Suite, name: str):
    before = suite.run
    pid = suite.entry(name)["pid"]

    os.kill(pid, signal.SIGKILL)
    eventually(lambda: suite.entry(name)["pid"] != pid)
    eventually(lambda: suite.turnpike("chat", "helper", "hello").returncode == 0)

    assert (suite.run["postgres"], suite.run["redis"]) == (before["postgres"], before["redis"])


def test_a_killed_suite_leaves_nothing_and_the_next_one_knows_everything(tmp_path: Path):
    with up(tmp_path / "home") as first:
        pids, key = first.pids(), first.key
        first.turnpike("apply", "-f", "-", stdin=SET_UP)
        first.process.kill()

        with up(tmp_path / "home") as second:
            assert none_runs(pids)
            assert second.key == key
            assert second.turnpike("chat", "helper", "hello").returncode == 0
            assert_it_stops_whole(second)


def assert_it_stops_whole(suite: Suite) -> None:
    pids = suite.pids()

    suite.process.send_signal(signal.SIGINT)

    # Ten seconds on a machine that is not loaded with tests.
    assert suite.process.wait(60) == 0
    assert none_runs(pids)
    assert not (suite.home / "run.json").exists()


def test_a_config_with_a_mistake_stops_everything(tmp_path: Path):
    config = tmp_path / "set-up.yaml"
    config.write_text("kind: Agent\nname: orphan\nspec: {model: nobody}")

    run = turnpike(
        "up", "--home", str(tmp_path / "home"), "--http-port", "0", "--config", str(config)
    )

    assert run.returncode == 1
    assert "document 1: Agent 'orphan': spec.model: " in run.stderr
    assert "ready" not in run.stdout
    assert not (tmp_path / "home" / "run.json").exists()
