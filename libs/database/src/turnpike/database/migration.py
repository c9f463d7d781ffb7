"""Bringing a service's schema, and the roles that may touch it, up to date."""

import os
import re
import sys
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

_IDENTIFIER = re.compile(r"^[a-z_][a-z0-9_]{0,62}$")

# Roles and grants on the database are shared by all services: one migration at
# a time touches them, or Postgres says "tuple concurrently updated".
_ROLES_LOCK = 7_420_101


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationUrls:
    """The three ways into one database."""

    migration: str
    """A role that may create roles and schemas; used only here."""

    service: str
    """The service's own role: owns nothing, sees one tenant at a time."""

    system: str
    """The service's system role, for its few listed statements."""

    @classmethod
    def from_environment(cls, prefix: str) -> "MigrationUrls":
        """Reads `<prefix>_{MIGRATION_,,SYSTEM_}DATABASE_URL`; exits when one is missing."""
        names = [f"{prefix}_{part}DATABASE_URL" for part in ("MIGRATION_", "", "SYSTEM_")]
        missing = [name for name in names if not os.environ.get(name)]  # noqa: TID251
        if missing:
            sys.exit(f"set {', '.join(missing)}")
        migration, service, system = (os.environ[name] for name in names)  # noqa: TID251
        return cls(migration=migration, service=service, system=system)


async def migrate(
    package: str, *, schema: str, urls: MigrationUrls, revision: str = "head"
) -> None:
    """Creates the roles and the schema if need be, and migrates to a revision: the newest one.

    Idempotent; two migrations at once take turns.

    Args:
        package: Holds `migrations/versions`, e.g. `turnpike.gatekeeper`. If `migrations` has
            an `EXTENSION`, that is made in the schema, unless the database has it elsewhere.
        schema: The service's schema.
        urls: Where the database is, and as whom.
        revision: Where an older version of the service would stop.
    """
    service, system = make_url(urls.service), make_url(urls.system)
    engine = create_async_engine(
        make_url(urls.migration).set(drivername="postgresql+asyncpg"), poolclass=NullPool
    )
    try:
        extension = getattr(import_module(f"{package}.migrations"), "EXTENSION", "")
        await _create_roles(engine, schema, service, system)
        path = await _set_search_path(engine, schema, extension, (service, system))
        async with engine.begin() as connection:
            await connection.execute(text(f"SET LOCAL ROLE {schema}_owner"))
            await connection.execute(text(f"SET LOCAL search_path = {path}"))
            await connection.run_sync(
                _upgrade, package, schema, str(service.username), str(system.username), revision
            )
    finally:
        await engine.dispose()


def protect(op: Any, table: str) -> None:
    """Makes `table` show each transaction the rows of its tenant only.

    The table has a column `tenant uuid`. A transaction without a tenant sees
    and writes nothing. The system role sees all.
    """
    options = op.get_context().opts
    service, system = options["service_role"], options["system_role"]
    mine = "tenant = nullif(current_setting('turnpike.tenant', true), '')::uuid"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON {table} TO {service} USING ({mine}) WITH CHECK ({mine})")
    op.execute(f"CREATE POLICY system ON {table} TO {system} USING (true) WITH CHECK (true)")
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {service}, {system}")


def run_script(op: Any, script: str) -> None:
    """Runs several statements as they are: no parameters, no splitting.

    SQLAlchemy prepares what it executes, and a prepared statement is only one.
    """
    adapted: Any = op.get_bind().connection.dbapi_connection
    adapted.run_async(lambda connection: connection.execute(script))


def grant_system(op: Any, table: str) -> None:
    """Lets the system role alone use `table`, which belongs to no tenant."""
    op.execute(
        f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO {op.get_context().opts['system_role']}"
    )


async def _create_roles(engine: AsyncEngine, schema: str, service: URL, system: URL) -> None:
    _check_identifiers(schema, service.username, system.username, service.database)
    owner = f"{schema}_owner"
    async with engine.begin() as connection:

        async def run(statement: str, **values: Any) -> None:
            await connection.execute(text(statement), values)

        await run("SELECT pg_advisory_xact_lock(:key)", key=_ROLES_LOCK)
        await run(_create_role_if_missing(owner, "NOLOGIN"))
        # A member may become the owner; a superuser is one anyway.
        await run(f"GRANT {owner} TO CURRENT_USER")
        await run(f"GRANT CREATE ON DATABASE {service.database} TO {owner}")
        await run(f"CREATE SCHEMA IF NOT EXISTS {schema} AUTHORIZATION {owner}")
        for url in (service, system):
            role = url.username
            await run(_create_role_if_missing(str(role), "LOGIN"))
            if url.password:
                await run(f"ALTER ROLE {role} PASSWORD {_quoted(url.password)}")
            await run(f"GRANT CONNECT ON DATABASE {service.database} TO {role}")
            await run(f"GRANT USAGE ON SCHEMA {schema} TO {role}")


async def _set_search_path(
    engine: AsyncEngine, schema: str, extension: str, roles: tuple[URL, ...]
) -> str:
    path = schema
    async with engine.begin() as connection:
        await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ROLES_LOCK})
        if extension:
            home = await _make_extension(connection, schema, extension)
            path = schema if home == schema else f"{schema}, {home}"
        for url in roles:
            await connection.execute(text(f"ALTER ROLE {url.username} SET search_path = {path}"))
    return path


async def _make_extension(connection: AsyncConnection, schema: str, extension: str) -> str:
    """Returns the schema that the extension's types are in."""
    _check_identifiers(extension)
    await connection.execute(text(f"CREATE EXTENSION IF NOT EXISTS {extension} SCHEMA {schema}"))
    home = await connection.scalar(
        text("SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = :name"),
        {"name": extension},
    )
    return str(home)


def _create_role_if_missing(role: str, login: str) -> str:
    return (
        f"DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{role}') THEN"
        f" CREATE ROLE {role} {login}; END IF; END $$"
    )


def _check_identifiers(*names: str | None) -> None:
    # They are put into statements that take no parameters.
    for name in names:
        if name is None or not _IDENTIFIER.match(name):
            raise ValueError(f"{name!r} is no plain lower-case identifier")


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def _upgrade(
    connection: Connection,
    package: str,
    schema: str,
    service_role: str,
    system_role: str,
    revision: str,
) -> None:
    config = Config()
    config.set_main_option("script_location", f"{package}:migrations")
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def revisions(current: Any, _context: Any) -> Any:
        return script._upgrade_revs(revision, current)  # pyright: ignore[reportPrivateUsage] # alembic's own command does the same

    with EnvironmentContext(config, script, fn=revisions, destination_rev=revision) as environment:
        environment.configure(
            connection=connection,
            version_table_schema=schema,
            service_role=service_role,
            system_role=system_role,
        )
        with environment.begin_transaction():
            environment.run_migrations()
