"""Files, and which threads hold them."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Creates the tables, and what holds and releases files with turns and threads."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0014_files.sql").read_text())
    for table in ("files", "thread_files"):
        protect(op, table)
