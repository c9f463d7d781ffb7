"""Revocations are numbered at their commit."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Takes the lock of the numbers behind all others; see there."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0007_functions.sql").read_text())
