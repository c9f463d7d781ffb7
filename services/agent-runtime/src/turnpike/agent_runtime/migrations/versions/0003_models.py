"""Models with scopes, versions and pools."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0003"
down_revision = "0002"

_TENANT_OWNED = ("model_versions", "pool_members", "thread_pins", "turn_routes")
# Everybody may see what the platform offers, and nobody but its tenant change it.
_OFFERED = """EXISTS (SELECT FROM models m WHERE m.tenant = {0}.tenant
  AND m.principal = {0}.principal AND m.name = {0}.{1} AND m.scope = 'PLATFORM')"""


def upgrade() -> None:
    """Adds what a model has, its versions, pools, and the pins of threads and turns."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0003_models.sql").read_text())
    for table in _TENANT_OWNED:
        protect(op, table)
    roles = op.get_context().opts
    service, system = roles["service_role"], roles["system_role"]
    op.execute(
        f"CREATE POLICY platform ON models FOR SELECT TO {service} USING (scope = 'PLATFORM')"
    )
    for table, name in (("model_versions", "name"), ("pool_members", "pool")):
        offered = _OFFERED.format(table, name)
        op.execute(f"CREATE POLICY platform ON {table} FOR SELECT TO {service} USING ({offered})")
    op.execute(f"REVOKE UPDATE, DELETE ON model_versions FROM {service}, {system}")
    op.execute(f"GRANT USAGE ON SEQUENCE model_version_numbers TO {service}, {system}")
