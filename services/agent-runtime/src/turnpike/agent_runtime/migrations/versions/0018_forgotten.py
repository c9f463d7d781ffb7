"""What calls brought goes with their thread."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Keeps the turns of deleted threads until the registry has been told."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0018_forgotten.sql").read_text())
    protect(op, "forgotten_turns")
