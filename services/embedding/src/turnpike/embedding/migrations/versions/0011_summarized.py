"""What summaries are of."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Creates the table, row-level security forced."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0011_summarized.sql").read_text())
    protect(op, "summarized")
