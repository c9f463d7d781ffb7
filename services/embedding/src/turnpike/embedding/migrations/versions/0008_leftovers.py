"""What deleted collections, and writes that were broken off, leave behind."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Creates the table, row-level security forced."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0008_leftovers.sql").read_text())
    protect(op, "leftovers")
