"""The audit of calls."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Records every call that ends."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0016_audit.sql").read_text())
