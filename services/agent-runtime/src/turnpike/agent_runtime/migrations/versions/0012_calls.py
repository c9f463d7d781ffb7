"""Turns of one call."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Lets a caller have one tool called, without a model."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0012_calls.sql").read_text())
