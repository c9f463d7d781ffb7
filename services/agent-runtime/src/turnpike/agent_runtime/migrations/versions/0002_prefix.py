"""The prefix ledger: sessions, and what was sent in them."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the ledger's tables and functions, row-level security forced."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0002_prefix.sql").read_text())
    for table in ("prefix_sessions", "prefix_elements"):
        protect(op, table)
