"""No tenant sees another's rows, whatever statement a service forgets to narrow.

For every table of every service that has migrations, as the catalogue has them: one
that is new is here without anybody's doing.
"""

import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.conftest import Schemas, new_database

ROOT = Path(__file__).parents[2]
SERVICES = sorted(
    path.parent.name for path in ROOT.glob("services/*/src/turnpike/*/migrations") if path.is_dir()
)

# Which belong to no tenant, and why. What the service's own role may do with them
# at most is said beside.
NOBODY_S = {
    "gatekeeper.plans": ("SELECT", "the catalogue that every tenant is offered"),
    "agent_runtime.provider_outages": ("", "credentials of the platform are many tenants'"),
    "agent_runtime.replicas": ("", "leases of processes"),
    "embedding.model_keys": ("", "which models replicas came up with"),
    "tool_registry.replicas": ("", "leases of processes"),
}
# Functions that run as their schema's owner, and so past row-level security, with the reason.
LENT = {
    "agent_runtime.forget_audit(uuid,interval,integer)": (
        "nobody else may delete of the audit; it deletes what is sealed and old, of the tenant that"
        " it sets, and records that it did"
    ),
    "embedding.chunks_with(regconfig,text,uuid[],text[],uuid[],bigint,bigint)": (
        "row-level security lets no match of words use an index; it compares the tenant itself"
    ),
}
SET_TENANT = "SELECT set_config('turnpike.tenant', $1, true)"

TABLES = """
SELECT n.nspname AS schema, c.relname AS name, c.relkind::text AS kind, c.relispartition AS part,
  c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced, r.rolname AS owner,
  EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant'
    AND NOT a.attisdropped) AS owned
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_roles r ON r.oid = c.relowner
WHERE n.nspname = ANY($1::text[]) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
  AND c.relname <> 'alembic_version' ORDER BY 1, 2
"""
CONSTRAINTS = """
SELECT conname FROM pg_constraint
WHERE conrelid = $1::regclass AND contype IN ('c', 'f', 'p', 'u', 'x')
ORDER BY contype = 'p'
"""
COLUMNS = """
SELECT attname AS name, attidentity <> '' AS identity FROM pg_attribute
WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attnotnull
  AND attname <> 'tenant' AND attgenerated = ''
"""
OWNED = """
SELECT count(*) FROM pg_shdepend WHERE deptype = 'o'
  AND refclassid = 'pg_authid'::regclass AND refobjid = $1::regrole
"""
FUNCTIONS = """
SELECT p.oid::regprocedure::text AS name
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE n.nspname = ANY($1::text[]) AND p.prosecdef
"""


class Table(NamedTuple):
    """A table, and the role that the service has."""

    schema: str
    name: str
    kind: str
    part: bool
    enabled: bool
    forced: bool
    owner: str
    owned: bool

    @property
    def full(self) -> str:
        return f"{self.schema}.{self.name}"


@pytest.fixture(scope="module")
async def url(schemas: Schemas) -> str:
    """A superuser's way into a database with every service's schema."""
    url = await new_database(schemas.superuser)
    own = Schemas(url)
    for service in SERVICES:
        await own.of(service)
    return url


@pytest.fixture(scope="module")
async def superuser(url: str) -> AsyncGenerator[asyncpg.Connection]:
    """A connection that sees everything."""
    connection = await asyncpg.connect(url)
    yield connection
    await connection.close()


async def tables_of(superuser: asyncpg.Connection) -> list[Table]:
    return [Table(*row) for row in await superuser.fetch(TABLES, SERVICES)]


async def bare(superuser: asyncpg.Connection, table: Table) -> None:
    """Takes away what a row of a table needs beside its tenant, until the rollback."""
    full = table.full
    await superuser.execute(f"ALTER TABLE {full} DISABLE TRIGGER ALL")
    for row in await superuser.fetch(CONSTRAINTS, full):
        await superuser.execute(
            f'ALTER TABLE {full} DROP CONSTRAINT IF EXISTS "{row["conname"]}" CASCADE'
        )
    for row in await superuser.fetch(COLUMNS, full):
        name = row["name"]
        if row["identity"]:
            await superuser.execute(f'ALTER TABLE {full} ALTER COLUMN "{name}" DROP IDENTITY')
        await superuser.execute(f'ALTER TABLE {full} ALTER COLUMN "{name}" DROP NOT NULL')
    # Columns that are computed would have nothing to compute from.
    for row in await superuser.fetch(
        "SELECT attname FROM pg_attribute WHERE attrelid = $1::regclass AND attgenerated <> ''"
        " AND NOT attisdropped",
        full,
    ):
        await superuser.execute(f'ALTER TABLE {full} DROP COLUMN "{row["attname"]}" CASCADE')


@asynccontextmanager
async def rows_of(
    superuser: asyncpg.Connection, table: Table, *tenants: UUID
) -> AsyncGenerator[None]:
    """Gives a table a row of each tenant, and a connection the service's role, for a while."""
    transaction = superuser.transaction()
    await transaction.start()
    try:
        await bare(superuser, table)
        for tenant in tenants:
            await superuser.execute(f"INSERT INTO {table.full} (tenant) VALUES ($1)", tenant)
        await superuser.execute(f"SET LOCAL ROLE {table.schema}")
        yield
    finally:
        await transaction.rollback()


async def seen(connection: asyncpg.Connection, table: Table, tenant: str) -> set[UUID]:
    await connection.execute(SET_TENANT, tenant)
    return {row[0] for row in await connection.fetch(f"SELECT tenant FROM {table.full}")}


async def denied(connection: asyncpg.Connection, statement: str, *values: object) -> bool:
    """Tries a statement, and undoes it; tells whether it may not be, or changes nothing."""
    try:
        async with connection.transaction():
            await connection.execute("SAVEPOINT here")
            status = await connection.execute(statement, *values)
            await connection.execute("ROLLBACK TO here")
    except asyncpg.InsufficientPrivilegeError:
        return True
    return re.search(r" 0$", status) is not None


async def test_every_table_is_a_tenants_or_listed(superuser: asyncpg.Connection):
    tables = await tables_of(superuser)

    assert {table.schema for table in tables} == set(SERVICES)
    assert len(tables) > 20
    for table in tables:
        assert table.kind in ("r", "p"), f"{table.full}: a view is read as its owner"
        assert table.owner == f"{table.schema}_owner", table.full
        if table.owned:
            assert (table.enabled, table.forced) == (True, True), table.full
        else:
            assert table.full in NOBODY_S, f"{table.full} has no tenant; say why in NOBODY_S"


async def test_a_tenants_rows_are_its_own_alone(superuser: asyncpg.Connection):
    mine, theirs = uuid4(), uuid4()
    checked: list[str] = []

    for table in await tables_of(superuser):
        if not table.owned or table.part:
            continue
        async with rows_of(superuser, table, mine, theirs):
            assert await seen(superuser, table, "") == set(), table.full
            assert await seen(superuser, table, str(theirs)) == {theirs}, table.full
            assert await seen(superuser, table, str(mine)) == {mine}, table.full
            for statement in (
                f"INSERT INTO {table.full} (tenant) VALUES ($1)",
                f"UPDATE {table.full} SET tenant = $1",
                f"UPDATE {table.full} SET tenant = tenant WHERE tenant = $1",
                f"DELETE FROM {table.full} WHERE tenant = $1",
            ):
                assert await denied(superuser, statement, theirs), f"{table.full}: {statement}"
            for statement in (
                f"ALTER TABLE {table.full} DISABLE ROW LEVEL SECURITY",
                f"TRUNCATE {table.full}",
            ):
                assert await denied(superuser, statement), f"{table.full}: {statement}"
        checked.append(table.full)

    assert len(checked) > 20


async def test_who_never_named_a_tenant_sees_no_row(url: str):
    # On a connection of its own: where a tenant was named once, there is an empty one later.
    connection = await asyncpg.connect(url)
    try:
        for table in await tables_of(connection):
            if not table.owned or table.part:
                continue
            async with rows_of(connection, table, uuid4()):
                rows = await connection.fetch(f"SELECT tenant FROM {table.full}")
                assert rows == [], table.full
        named = await connection.fetchval("SELECT current_setting('turnpike.tenant', true)")
        assert named is None
    finally:
        await connection.close()


async def test_what_is_no_tenants_is_out_of_the_services_reach(superuser: asyncpg.Connection):
    for table in await tables_of(superuser):
        if table.owned:
            continue
        allowed, _reason = NOBODY_S[table.full]
        for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES"):
            may = await superuser.fetchval(
                "SELECT has_table_privilege($1, $2, $3)", table.schema, table.full, privilege
            )
            assert may == (privilege in allowed), f"{table.full}: {privilege}"


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("suffix", ["", "_system"])
async def test_the_services_roles_own_nothing_and_bypass_nothing(
    superuser: asyncpg.Connection, service: str, suffix: str
):
    role = f"{service}{suffix}"
    may = await superuser.fetchrow(
        "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles"
        " WHERE rolname = $1",
        role,
    )

    assert may is not None
    assert not any(may)
    assert await superuser.fetchval(OWNED, role) == 0
    for other in SERVICES:
        for owner in (f"{other}_owner", *((other,) if other != service else ())):
            assert not await superuser.fetchval("SELECT pg_has_role($1, $2, 'member')", role, owner)
        usage = await superuser.fetchval(
            "SELECT has_schema_privilege($1, $2, 'USAGE')", role, other
        )
        assert usage == (other == service), f"{role} on {other}"
    assert not await superuser.fetchval(
        "SELECT pg_has_role($1, $2, 'member')", service, f"{service}_system"
    )


async def test_no_function_but_those_listed_lends_its_owners_rights(superuser: asyncpg.Connection):
    lent = {record["name"] for record in await superuser.fetch(FUNCTIONS, SERVICES)}
    assert lent == LENT.keys()
