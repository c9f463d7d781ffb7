"""Persons and their issuers, secrets that overlap, scopes, and bans of every kind."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Widens principals, keys and bans, and creates what is new."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0005_tables.sql").read_text())
    for table in ("retired_secrets", "issuers"):
        protect(op, table)
    run_script(op, (sql / "0005_functions.sql").read_text())
    service = op.get_context().opts["service_role"]
    # A ban that holds everywhere is seen by every tenant's admissions, and only
    # the first tenant has any.
    op.execute(f"CREATE POLICY everywhere ON bans FOR SELECT TO {service} USING (platform)")
    is_first = "EXISTS (SELECT FROM tenants t WHERE t.tenant = bans.tenant AND t.platform)"
    op.execute(
        f"CREATE POLICY of_the_first ON bans AS RESTRICTIVE TO {service}"
        f" USING (true) WITH CHECK (NOT platform OR {is_first})"
    )
