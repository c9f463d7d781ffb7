"""Artifacts go with their thread."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Lets turns be forgotten, with what their calls brought."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0008_forgotten.sql").read_text())
