"""Artifacts of calls."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds the table."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0007_artifacts.sql").read_text())
    protect(op, "artifacts")
