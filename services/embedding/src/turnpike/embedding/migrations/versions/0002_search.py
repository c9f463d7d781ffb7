"""What searches ask of words."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Creates the functions."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0002_search.sql").read_text())
