"""What persons gave that a call's server asked for."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds the column, and the function that has a call go on."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0004_answers.sql").read_text())
