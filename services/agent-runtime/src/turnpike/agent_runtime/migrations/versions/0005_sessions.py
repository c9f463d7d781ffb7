"""Threads that a client's own name of its conversation finds."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Gives threads the names that clients have for them."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0005_sessions.sql").read_text())
