"""Who opens a tenant's slots: of the first admissions, one."""

from importlib.resources import files

from alembic import op

from turnpike.database.migration import run_script

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Lets `read_standing` tell who opens; see there."""
    sql = files("turnpike.gatekeeper.migrations") / "sql"
    run_script(op, (sql / "0006_functions.sql").read_text())
