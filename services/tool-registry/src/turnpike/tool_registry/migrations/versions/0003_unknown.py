"""The calls whose outcome nobody knows, found without reading the others."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds the index that the list of them goes by."""
    op.execute(
        "CREATE INDEX calls_unknown ON calls (tenant, created DESC, effect DESC)"
        " WHERE status = 'UNKNOWN'"
    )
