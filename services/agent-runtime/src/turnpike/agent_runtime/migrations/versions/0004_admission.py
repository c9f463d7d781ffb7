"""Where turns stand with gatekeeper, and the outbox of what is to be settled there."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Creates the outbox, row-level security forced, and what writes it."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0004_admission.sql").read_text())
    protect(op, "usage_outbox")
