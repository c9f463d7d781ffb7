"""Collections that change their model, and models that change under their name."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import grant_system, protect, run_script

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Creates the tables and columns."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0003_migrations.sql").read_text())
    protect(op, "migrations")
    grant_system(op, "model_keys")
