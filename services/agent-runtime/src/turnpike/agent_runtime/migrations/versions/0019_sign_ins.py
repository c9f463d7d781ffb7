"""Turns that wait for a sign-in are looked at by themselves."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Has them looked at."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0019_sign_ins.sql").read_text())
