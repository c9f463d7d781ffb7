"""Approved definitions, settings of single tools, persons' credentials."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Adds the tables and columns, and what a listing reads."""
    sql = files("turnpike.tool_registry.migrations") / "sql"
    # The tools that are there belong to every tenant; the owner of the tables is
    # held to row-level security like anybody else.
    for table in ("tools", "connectors"):
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    run_script(op, (sql / "0002_catalogue.sql").read_text())
    for table in ("tools", "connectors"):
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table in ("tool_pins", "tool_settings", "credentials"):
        protect(op, table)
    run_script(op, (sql / "0002_functions.sql").read_text())
