"""Turns that wait for a provider, one behind the other."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Changes when turns that wait are due, and how seldom a provider is asked."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0010_waits.sql").read_text())
