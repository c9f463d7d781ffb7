"""The first tables: agents, models, threads, turns and their logs."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script
from turnpike.database.replicas import create_table as create_replicas

revision = "0001"
down_revision = None

_TENANT_OWNED = (
    "agents",
    "agent_versions",
    "models",
    "threads",
    "turns",
    "steps",
    "calls",
    "batches",
)


def upgrade() -> None:
    """Creates every table, row-level security forced, and the turn's functions."""
    create_replicas(op)
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0001_tables.sql").read_text())
    for table in _TENANT_OWNED:
        protect(op, table)
    # A version never changes, whatever statement somebody writes.
    roles = op.get_context().opts
    op.execute(
        "REVOKE UPDATE, DELETE ON agent_versions"
        f" FROM {roles['service_role']}, {roles['system_role']}"
    )
    run_script(op, (sql / "0001_functions.sql").read_text())
