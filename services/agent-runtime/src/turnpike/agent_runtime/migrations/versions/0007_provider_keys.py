"""Keys of one's own at providers."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Adds keys of tenants and people, and whether they must be used."""
    sql = files("turnpike.agent_runtime.migrations") / "sql"
    run_script(op, (sql / "0007_provider_keys.sql").read_text())
    for table in ("provider_keys", "key_modes"):
        protect(op, table)
