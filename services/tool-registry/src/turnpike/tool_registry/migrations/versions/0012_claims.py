"""Discoveries of the dead are taken up at once."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Notes whose each claim of a discovery is."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0012_claims.sql").read_text())
