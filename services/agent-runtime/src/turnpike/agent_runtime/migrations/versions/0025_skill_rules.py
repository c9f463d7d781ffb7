"""What skills say of calls."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Adds how it is read; it is stored with their versions."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0025_skill_rules.sql").read_text())
