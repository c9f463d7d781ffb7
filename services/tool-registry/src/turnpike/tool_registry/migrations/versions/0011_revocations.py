"""Tokens that are to be taken back."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Has every end of a credential leave what its server is to be told."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    run_script(op, (sql / "0011_revocations.sql").read_text())
    protect(op, "revocations")
    # A connector's credentials go with it, and then the trigger is the owner's.
    op.execute("CREATE POLICY owed ON revocations FOR INSERT TO CURRENT_USER WITH CHECK (true)")
