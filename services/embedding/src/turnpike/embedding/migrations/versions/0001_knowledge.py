"""The first tables: collections of documents, their revisions, and what is searched."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import protect, run_script

revision = "0001"
down_revision = None

TABLES = (
    "collections",
    "holdings",
    "folders",
    "contents",
    "documents",
    "changes",
    "revisions",
    "folder_changes",
    "indexings",
    "chunks",
    "passages",
)


def upgrade() -> None:
    """Creates every table, row-level security forced."""
    run_script(op, (files("turnpike.embedding.migrations") / "sql/0001_tables.sql").read_text())
    for table in TABLES:
        protect(op, table)
