"""The two hot statements: what an admission reads, and what a settlement writes."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates `read_standing` and `settle`."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0003_functions.sql").read_text())
