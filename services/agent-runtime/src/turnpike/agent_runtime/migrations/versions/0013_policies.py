"""Policies of tenants and people, grants, and the audit."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0013"
down_revision = "0012"

_APPENDED_TO = ("policy_versions", "audit_entries", "audit_seals")


def upgrade() -> None:
    """Adds them; what is only ever added to cannot be changed, whatever somebody writes."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0013_policies.sql").read_text())
    for table in (*_APPENDED_TO, "policies", "grants", "audit_unsealed"):
        protect(op, table)
    roles = op.get_context().opts
    for table in _APPENDED_TO:
        op.execute(
            f"REVOKE UPDATE, DELETE ON {table} FROM {roles['service_role']}, {roles['system_role']}"
        )
    # Of a grant nothing changes but that it ends.
    op.execute(
        f"REVOKE UPDATE, DELETE ON grants FROM {roles['service_role']}, {roles['system_role']}"
    )
    op.execute(f"GRANT UPDATE (revoked, revoked_by) ON grants TO {roles['service_role']}")
