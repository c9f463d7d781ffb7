"""What searches scan: vectors in their rows, and words by tenant."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Changes how chunks are kept, and creates the function that searches words."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0004_scans.sql").read_text())
