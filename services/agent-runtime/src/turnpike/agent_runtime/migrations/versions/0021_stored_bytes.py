"""How many bytes of files a tenant has."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Counts them, in the transactions that add and delete."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0021_stored_bytes.sql").read_text())
    protect(op, "stored_bytes")
