"""Words of a tenant, looked up at once."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Keeps words in their rows, and searches them by another index."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0010_words.sql").read_text())
