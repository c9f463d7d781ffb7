"""Summaries of documents."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Creates the table."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0005_summaries.sql").read_text())
    protect(op, "summaries")
