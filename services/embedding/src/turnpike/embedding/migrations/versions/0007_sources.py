"""Sources that feed collections, their runs and their items."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Creates the tables, row-level security forced."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0007_sources.sql").read_text())
    for table in ("sources", "source_runs", "source_items"):
        protect(op, table)
