"""Sign-ins by OAuth, and credentials that are renewed."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds the tables and columns, and has a call that is ready know when a token is old."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0005_sign_ins.sql").read_text())
    for table in ("sign_ins", "oauth_clients"):
        protect(op, table)
