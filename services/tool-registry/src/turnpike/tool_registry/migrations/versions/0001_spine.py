"""The first tables: connectors and their tools, and the effect ledger."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script
from turnpike.database.replicas import create_table as create_replicas

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Creates every table, row-level security forced, and the ledger's functions."""
    create_replicas(op)
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0001_tables.sql").read_text())
    for table in ("connectors", "tools", "turn_fences", "calls"):
        protect(op, table)
    run_script(op, (sql / "0001_functions.sql").read_text())
