"""Titles of threads, by the planner."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Adds what a title is stored by."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0009_titles.sql").read_text())
