"""How many bytes of artifacts a tenant has."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Counts them, in the transactions that add and delete."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0009_stored_bytes.sql").read_text())
    protect(op, "stored_bytes")
