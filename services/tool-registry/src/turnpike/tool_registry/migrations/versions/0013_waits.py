"""Nobody waits in a circle: sweeps wait for nobody, requests in one order."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Has orphans be passed by that somebody works on, and artifacts be locked in order."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0013_waits.sql").read_text())
