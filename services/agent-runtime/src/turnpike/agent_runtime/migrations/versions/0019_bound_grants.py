"""Grants are of one connector, not of whatever has its name."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Binds grants to connectors themselves."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0019_bound_grants.sql").read_text())
