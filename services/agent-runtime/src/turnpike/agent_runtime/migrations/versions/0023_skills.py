"""Skills, their versions, and those that turns began with."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0023"
down_revision = "0022"

_IMMUTABLE = ("skill_versions", "turn_skills")


def upgrade() -> None:
    """Adds them; a version never changes, nor does what a turn began with."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0023_skills.sql").read_text())
    for table in (*_IMMUTABLE, "skills"):
        protect(op, table)
    roles = op.get_context().opts
    for table in _IMMUTABLE:
        op.execute(
            f"REVOKE UPDATE, DELETE ON {table} FROM {roles['service_role']}, {roles['system_role']}"
        )
