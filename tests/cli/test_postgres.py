"""What whoever starts a PostgreSQL from the wheel relies on."""

import os
import shutil
import signal
from pathlib import Path

import psycopg
import pytest

from tests.cli.processes import eventually, is_running, owner
from turnpike.cli.stack.accounts import Account
from turnpike.cli.stack.postgres import LocalPostgres


def put(url: str, text: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS note (text text)")
        connection.execute("INSERT INTO note VALUES (%s)", [text])


def notes(url: str, **options: str) -> list[str]:
    with psycopg.connect(url, **options) as connection:  # pyright: ignore[reportArgumentType]
        return [text for (text,) in connection.execute("SELECT text FROM note")]


def test_what_was_written_is_there_in_the_next_run(tmp_path: Path):
    with LocalPostgres(tmp_path / "pg") as first:
        put(first.url, "kept")

    with LocalPostgres(tmp_path / "pg") as second:
        assert notes(second.url) == ["kept"]


def test_it_is_version_18_with_pgvector(tmp_path: Path):
    with LocalPostgres(tmp_path / "pg") as server, psycopg.connect(server.url) as connection:
        connection.execute("CREATE EXTENSION vector")
        row = connection.execute("SELECT '[1,2]'::vector <-> '[1,4]', version()").fetchone()

    assert row
    assert row[0] == 2
    assert row[1].startswith("PostgreSQL 18")


def test_the_unix_socket_works_under_a_long_path(tmp_path: Path):
    with LocalPostgres(tmp_path / ("deep" * 25) / "pg") as server:
        put(server.url, "by socket")

        assert notes(server.url, host=str(server.socket_folder.resolve())) == ["by socket"]


@pytest.mark.parametrize("with_socket", [False, True])
def test_nobody_enters_without_the_password(tmp_path: Path, with_socket: bool):
    with LocalPostgres(tmp_path / "pg") as server:
        host = str(server.socket_folder.resolve()) if with_socket else "127.0.0.1"

        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(server.url, host=host, password="guess")


def test_settings_are_passed_on(tmp_path: Path):
    with (
        LocalPostgres(tmp_path / "pg", settings={"fsync": "off"}) as server,
        psycopg.connect(server.url) as connection,
    ):
        assert connection.execute("SHOW fsync").fetchone() == ("off",)


def test_a_server_that_is_started_again_keeps_its_address(tmp_path: Path):
    with LocalPostgres(tmp_path / "pg") as server:
        url = server.url
        server.child.send(signal.SIGKILL)
        eventually(lambda: server.child.exit_status is not None)
        server.start()

        assert server.url == url
        put(server.url, "after the crash")


def test_a_killed_owner_leaves_nothing_behind_that_stops_the_next(tmp_path: Path):
    with owner(tmp_path) as (process, facts):
        put(facts["postgres"], "kept")
        process.kill()
        process.wait()
        eventually(lambda: not any(is_running(pid) for pid in facts["pids"]))

    with LocalPostgres(tmp_path / "postgres") as server:
        assert notes(server.url) == ["kept"]


def test_a_server_without_an_owner_is_ended_by_the_next(tmp_path: Path):
    first = LocalPostgres(tmp_path / "pg")
    first.start()
    put(first.url, "kept")

    with LocalPostgres(tmp_path / "pg") as second:
        assert first.child.exit_status is not None
        assert notes(second.url) == ["kept"]


def test_a_lock_whose_number_became_another_process_is_no_obstacle(tmp_path: Path):
    with LocalPostgres(tmp_path / "pg") as first:
        put(first.url, "kept")
    (tmp_path / "pg" / "data" / "postmaster.pid").write_text(f"{os.getppid()}\n")

    with LocalPostgres(tmp_path / "pg") as second:
        assert notes(second.url) == ["kept"]


def test_a_run_killed_while_the_files_were_made_is_no_obstacle(tmp_path: Path):
    (tmp_path / "pg" / "data.new" / "base").mkdir(parents=True)

    with LocalPostgres(tmp_path / "pg") as server:
        put(server.url, "written")


@pytest.mark.parametrize("account", ["same", "mapped:0:0", "mapped:65534:65534"])
def test_root_and_ordinary_users_start_it_in_a_folder_only_they_may_enter(
    tmp_path: Path, account: str
):
    home = tmp_path / "private"
    home.mkdir(mode=0o700)

    with owner(home, account) as (_, facts):
        put(facts["postgres"], account)

        assert facts["euid"] == {"same": os.geteuid(), "mapped:0:0": 0}.get(account, 65534)
        assert notes(facts["postgres"]) == [account]


def accounts_of_this_user() -> list[Account]:
    """Root may also switch, which is what happens where user namespaces are refused."""
    mine = (os.geteuid(), os.getegid())
    mapped = Account("mapped:65534:65534", mine)
    if mine[0] != 0:
        return [mapped, Account("same", mine)]
    return [mapped, Account("switched:65534:65534", (65534, 65534))]


@pytest.mark.parametrize("account", accounts_of_this_user(), ids=lambda account: account.spec)
def test_every_account_keeps_its_files_where_it_can_reach_them(tmp_path: Path, account: Account):
    for note in ("first", "second"):
        with LocalPostgres(tmp_path / "pg", account=account) as server:
            put(server.url, note)
            assert note in notes(server.url)
    if server.folder.parent != tmp_path:
        shutil.rmtree(server.folder)
