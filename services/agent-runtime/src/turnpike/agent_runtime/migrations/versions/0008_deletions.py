"""Finding deletions that were broken off."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Indexes threads that are being deleted."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0008_deletions.sql").read_text())
