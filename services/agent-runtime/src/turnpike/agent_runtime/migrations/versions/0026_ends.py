"""What an ended segment owes, for the one who ended it."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Adds how it is claimed, by the commit that ends it."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0026_ends.sql").read_text())
