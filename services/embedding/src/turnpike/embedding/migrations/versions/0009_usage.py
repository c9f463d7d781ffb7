"""What was used and is still to be settled with gatekeeper."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Creates the outbox, row-level security forced."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0009_usage.sql").read_text())
    protect(op, "usage_outbox")
