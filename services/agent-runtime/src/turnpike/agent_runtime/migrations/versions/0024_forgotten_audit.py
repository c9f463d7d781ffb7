"""The end of the audit's keeping."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Adds what forgets, and where the chains begin by then, which the roles only read."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0024_forgotten_audit.sql").read_text())
    protect(op, "audit_anchors")
    roles = op.get_context().opts
    service, system = roles["service_role"], roles["system_role"]
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON audit_anchors FROM {service}, {system}")
    op.execute(f"GRANT EXECUTE ON FUNCTION forget_audit TO {system}")
