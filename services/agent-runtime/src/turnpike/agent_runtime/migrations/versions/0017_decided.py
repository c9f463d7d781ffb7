"""The audit of decisions, and the grants that they give."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Records decisions and keeps their grants."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0017_decided.sql").read_text())
