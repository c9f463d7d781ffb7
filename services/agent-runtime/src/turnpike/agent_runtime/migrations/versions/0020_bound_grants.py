"""Grants are of one connector, not of whatever has its name."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Binds grants to connectors themselves."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0020_bound_grants.sql").read_text())
