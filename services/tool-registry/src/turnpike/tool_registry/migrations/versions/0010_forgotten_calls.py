"""Calls go with their thread."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Lets the calls of forgotten turns be deleted."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0010_forgotten_calls.sql").read_text())
