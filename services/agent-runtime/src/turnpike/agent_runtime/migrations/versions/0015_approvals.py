"""Approvals: what turns wait for from people."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Adds approvals and what was decided of them."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0015_approvals.sql").read_text())
    for table in ("approvals", "decisions"):
        protect(op, table)
