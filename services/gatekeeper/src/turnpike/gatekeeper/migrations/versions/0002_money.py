"""Plans, subscriptions, overrides, budgets, counters, accounts and the ledger."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0002"
down_revision = "0001"

_TENANT_OWNED = ("subscriptions", "overrides", "budgets", "counters", "accounts", "ledger")


def upgrade() -> None:
    """Creates what admission weighs and what it writes down."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0002_tables.sql").read_text())
    for table in _TENANT_OWNED:
        protect(op, table)
    run_script(op, (sql / "0002_functions.sql").read_text())
    roles = op.get_context().opts
    service, system = roles["service_role"], roles["system_role"]
    # The catalogue belongs to no tenant: all may read it, one role may write it.
    op.execute(f"GRANT SELECT ON plans TO {service}, {system}")
    op.execute(f"GRANT INSERT, UPDATE, DELETE ON plans TO {system}")
    op.execute(f"REVOKE UPDATE, DELETE ON ledger FROM {service}, {system}")
