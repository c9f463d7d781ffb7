"""Variables and secrets, a tenant's and persons'."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds the table, and which of them a connector names."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0006_variables.sql").read_text())
    protect(op, "variables")
