"""Words of documents whose model was changed under its name."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Replaces the function that searches words."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0006_replaced.sql").read_text())
