"""Credentials that stay at the place that they were given for."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Changes what a turn is given of a model that was moved."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0011_places.sql").read_text())
