"""Old replicas run over new schemas while a deploy lasts: a revision only adds.

For every service that has migrations, from the first revision to the newest one.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from tests.conftest import new_database
from tests.database.test_rows import ROOT, SERVICES
from turnpike.cli.stack.postgres import LocalPostgres
from turnpike.database.migration import MigrationUrls, migrate

COLUMNS = """
SELECT table_name || '.' || column_name AS name, data_type AS type, table_name AS of,
  is_nullable = 'NO' AND column_default IS NULL AND is_identity = 'NO' AND is_generated = 'NEVER'
    AS demanded
FROM information_schema.columns WHERE table_schema = $1 AND table_name <> 'alembic_version'
"""
FUNCTIONS = """
SELECT p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' AS name,
  coalesce(pg_get_function_result(p.oid), '') AS result
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = $1
"""
GRANTS = """
SELECT table_name || ' ' || privilege_type || ' ' || grantee
FROM information_schema.role_table_grants WHERE table_schema = $1
  AND grantee IN ($1, $1 || '_system')
"""


@dataclass(frozen=True)
class Shape:
    """What the statements of a service may name."""

    columns: dict[str, str]
    demanded: frozenset[str]
    """Columns that an INSERT must name."""

    functions: dict[str, str]
    """What comes back, by name and arguments."""

    grants: frozenset[str]

    @property
    def tables(self) -> frozenset[str]:
        """The tables' names."""
        return frozenset(name.partition(".")[0] for name in self.columns)

    def broken_by(self, later: "Shape") -> list[str]:
        """Returns what a replica that knows this shape would miss in a later one."""
        wanted = {name for name in later.demanded if name.partition(".")[0] in self.tables}
        return [
            *(f"{name} {type}" for name, type in self.columns.items() - later.columns.items()),
            *(f"{name} has no default" for name in wanted - self.demanded),
            *(
                f"{name} {result}"
                for name, result in self.functions.items()
                if not columns_of(result) <= columns_of(later.functions.get(name, ""))
            ),
            *(self.grants - later.grants),
        ]


def columns_of(result: str) -> set[str]:
    """Returns what a function gives: a row may get more columns, which are read by their names."""
    return set(result.removeprefix("TABLE(").removesuffix(")").split(", "))


async def shape_of(connection: asyncpg.Connection, schema: str) -> Shape:
    columns = await connection.fetch(COLUMNS, schema)
    return Shape(
        columns={row["name"]: row["type"] for row in columns},
        demanded=frozenset(row["name"] for row in columns if row["demanded"]),
        functions={row["name"]: row["result"] for row in await connection.fetch(FUNCTIONS, schema)},
        grants=frozenset([row[0] for row in await connection.fetch(GRANTS, schema)]),
    )


@pytest.fixture
async def database(postgres: LocalPostgres) -> AsyncGenerator[str]:
    """The URL of a database of the test's own."""
    yield await new_database(postgres.url)


def revisions(service: str) -> list[str]:
    folder = ROOT / f"services/{service.replace('_', '-')}/src/turnpike/{service}"
    return sorted(path.name[:4] for path in Path(folder).glob("migrations/versions/[0-9]*.py"))


@pytest.mark.parametrize("service", SERVICES)
async def test_no_revision_takes_away_what_the_one_before_names(service: str, database: str):
    address = database.rpartition("@")[2]
    urls = MigrationUrls(
        migration=database,
        service=f"postgresql://{service}:{service}-password@{address}",
        system=f"postgresql://{service}_system:{service}_system-password@{address}",
    )
    connection = await asyncpg.connect(database)
    before, broken = None, dict[str, list[str]]()
    for revision in revisions(service):
        await migrate(f"turnpike.{service}", schema=service, urls=urls, revision=revision)
        after = await shape_of(connection, service)
        if before is not None and (missed := before.broken_by(after)):
            broken[revision] = missed
        before = after
    await connection.close()

    assert broken == {}
