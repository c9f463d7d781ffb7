"""Filters of what people write."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Adds what claims turns by them."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0022_filters.sql").read_text())
