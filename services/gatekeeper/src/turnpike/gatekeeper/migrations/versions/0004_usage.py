"""Usage in sums, for reports."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the sums, and the trigger that keeps them."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0004_usage.sql").read_text())
    protect(op, "usage_quarters")
