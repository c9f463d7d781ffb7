"""Waiting for providers without a slot."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import grant_system, run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds what a turn waits for, and who may ask whether it is back."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0006_outages.sql").read_text())
    grant_system(op, "provider_outages")
