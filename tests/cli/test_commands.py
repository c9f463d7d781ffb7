"""Commands that fail say why, in a line for people or an object for programs."""

import json
import socket
from pathlib import Path

import pytest

from tests.cli.suites import turnpike
from turnpike.cli.stack.ports import free_ports


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("turns list", "no suite runs on"),
        ("turns list --url http://127.0.0.1:1 --key tpk_x", "does not answer: "),
        ("turns list --url nonsense --key tpk_x", "Request URL is missing"),
        ("turns watch x --url http://127.0.0.1:1", "no API key: give one with --key"),
        ("apply -f nowhere.yaml", "'nowhere.yaml' cannot be read: No such file or directory"),
        ("apply -f .", "cannot be read: Is a directory"),
        ("up --config nowhere.yaml", "'nowhere.yaml' cannot be read"),
        ("up --replicas nobody=2", "services are agent-runtime, embedding"),
        ("chat --url http://127.0.0.1:1 --key tpk_x", "there is nothing to say"),
        ("up --home /dev/null/home", "cannot use '/dev/null/home'"),
    ],
)
def test_a_fault_that_can_be_foreseen_is_a_line(tmp_path: Path, words: str, message: str):
    run = turnpike(*words.split(), env={"TURNPIKE_HOME": str(tmp_path)})

    assert run.returncode == 1
    assert message in run.stderr
    assert "Traceback" not in run.stderr
    assert run.stdout == ""


def test_a_setting_that_makes_no_sense_is_a_line(tmp_path: Path):
    run = turnpike("up", env={"TURNPIKE_HOME": str(tmp_path), "TURNPIKE_HTTP_PORT": "many"})

    assert run.returncode == 1
    assert run.stderr.startswith("TURNPIKE_HTTP_PORT: ")
    assert run.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_a_line(tmp_path: Path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        run = turnpike("up", "--home", str(tmp_path), "--http-port", port)

    assert run.returncode == 1
    assert run.stderr == (
        f"port {port} is taken; give another with --http-port or TURNPIKE_HTTP_PORT\n"
    )


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("TURNPIKE_DATABASE_URL", "postgresql://somebody@127.0.0.1:1/turnpike"),
        ("TURNPIKE_REDIS_URL", "redis://127.0.0.1:1/0"),
    ],
)
def test_a_given_database_that_does_not_answer_is_a_line(tmp_path: Path, name: str, url: str):
    (port,) = free_ports(1)

    run = turnpike("up", "--home", str(tmp_path), "--http-port", str(port), env={name: url})

    assert run.returncode == 1
    assert run.stderr.startswith(f"{name}: ")
    assert run.stderr.count("\n") == 1


def test_programs_get_mistakes_as_objects(tmp_path: Path):
    text = "kind: Model\nname: m\nspec: {}\n"

    run = turnpike("apply", "-f", "-", "--json", "--home", str(tmp_path), stdin=text)

    error = json.loads(run.stderr)
    assert run.returncode == 1
    assert error["reason"] == "INVALID_ARGUMENT"
    assert error["mistakes"] == [
        {
            "file": "<stdin>",
            "document": 1,
            "field": "Model 'm': spec",
            "message": "takes either a model, or the members of a pool",
            "line": 3,
        }
    ]


def test_doctor_says_what_is_wrong_and_what_to_do(tmp_path: Path):
    (tmp_path / "admin.key").write_text("tpk_x")
    (tmp_path / "admin.key").chmod(0o644)
    environment = {"TURNPIKE_HOME": str(tmp_path), "TURNPIKE_REDIS_URL": "redis://127.0.0.1:1"}

    run = turnpike("doctor", "--json", env=environment)

    findings = {entry["subject"]: entry for entry in map(json.loads, run.stdout.splitlines())}
    assert run.returncode == 1
    assert findings["python"]["ok"]
    assert findings["postgres"]["ok"]
    assert findings["home"]["advice"] == f"chmod 600 {tmp_path / 'admin.key'}"
    assert not findings["redis"]["ok"]


def test_help_names_every_command():
    run = turnpike("--help")

    assert run.returncode == 0
    for command in ("up", "apply", "doctor", "chat", "turns", "keys"):
        assert f" {command} " in run.stdout
