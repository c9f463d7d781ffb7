"""The first tables: tenants, principals, keys, bans, revocations and refusals."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0001"
down_revision = None

_TENANT_OWNED = ("tenants", "principals", "api_keys", "bans", "revocations", "refusals")


def upgrade() -> None:
    """Creates every table, row-level security forced, and the hot statements."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0001_tables.sql").read_text())
    for table in _TENANT_OWNED:
        protect(op, table)
    run_script(op, (sql / "0001_functions.sql").read_text())
    roles = op.get_context().opts
    service, system = roles["service_role"], roles["system_role"]
    op.execute(f"GRANT USAGE ON SEQUENCE revocation_ids TO {service}, {system}")
    # A tenant may not make itself the platform, nor give itself slots.
    op.execute(f"REVOKE INSERT, UPDATE, DELETE ON tenants FROM {service}")
    op.execute(f"GRANT UPDATE (active_from, active_until) ON tenants TO {service}")
