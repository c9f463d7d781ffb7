"""One order in which files, and turns, are locked."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Makes the functions keep to it."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0027_lock_orders.sql").read_text())
