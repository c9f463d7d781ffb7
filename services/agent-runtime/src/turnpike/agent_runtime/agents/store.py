"""Agents and their versions, in Postgres."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.agents.model import AgentSpec, Version

_COLUMNS = (
    "a.name, a.active_version, a.etag, a.created, a.updated, v.number, v.spec FROM agents a"
    " JOIN agent_versions v ON v.id = a.active_version"
)
_GET = text(f"SELECT {_COLUMNS} WHERE a.name = :name")
_LIST = text(f"SELECT {_COLUMNS} WHERE a.name > :after ORDER BY a.name LIMIT :limit")
_LOCK = text("SELECT etag FROM agents WHERE name = :name FOR UPDATE")
_INSERT = text(
    "INSERT INTO agents (tenant, name, active_version, etag)"
    " VALUES (:tenant, :name, :version, :etag) ON CONFLICT DO NOTHING RETURNING name"
)
_ACTIVATE = text(
    "UPDATE agents SET active_version = :version, etag = :etag, updated = statement_timestamp()"
    " WHERE name = :name"
)
_DELETE = text("DELETE FROM agents WHERE name = :name RETURNING name")
# Numbers go on after a deletion: a version's number never means another one.
_ADD_VERSION = text(
    "INSERT INTO agent_versions (id, tenant, agent, number, digest, spec, created_by)"
    " SELECT :id, :tenant, :agent, coalesce(max(number), 0) + 1, :digest,"
    "  CAST(:spec AS jsonb), :created_by FROM agent_versions WHERE agent = :agent"
)
_VERSION = text("SELECT spec, created_by FROM agent_versions WHERE id = :id")
_VERSIONS = text(
    "SELECT v.id, v.number, v.spec, v.created, v.id = a.active_version AS active"
    " FROM agent_versions v JOIN agents a ON a.name = v.agent"
    " WHERE v.agent = :agent AND v.number < CAST(:before AS bigint)"
    " ORDER BY v.number DESC LIMIT :limit"
)
_SPEC_OF = text("SELECT spec FROM agent_versions WHERE id = :id AND agent = :agent")
_ANY_VERSION = text("SELECT 1 FROM agent_versions WHERE agent = :agent LIMIT 1")
_INLINE = text("SELECT id FROM agent_versions WHERE agent = '' AND digest = :digest")
_TAKE_TURNS = text("SELECT pg_advisory_xact_lock(hashtextextended(:tenant, 1))")
_USER_OF_MODEL = text(
    "SELECT a.name FROM agents a JOIN agent_versions v ON v.id = a.active_version"
    " WHERE v.spec ->> 'model' = :model ORDER BY a.name LIMIT 1"
)
_USER_OF_SKILL = text(
    "SELECT a.name FROM agents a JOIN agent_versions v ON v.id = a.active_version"
    " WHERE v.spec -> 'skills' @> to_jsonb(CAST(:skill AS text)) ORDER BY a.name LIMIT 1"
)

Change = Literal["CREATED", "CHANGED", "UNCHANGED"]

_BIGGEST = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A name for versions, and the active one of them."""

    name: str
    version: UUID
    number: int
    spec: AgentSpec
    etag: str
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentVersion:
    """One version of an agent."""

    id: UUID
    number: int
    spec: AgentSpec
    active: bool
    created: datetime


def digest_of(spec: AgentSpec) -> str:
    """Returns what tells specs apart."""
    document = orjson.dumps(spec.as_dict(), option=orjson.OPT_SORT_KEYS)
    return f"sha256:{hashlib.sha256(document).hexdigest()}"


async def get_agent(connection: AsyncConnection, name: str) -> Agent | None:
    """Returns the agent of that name."""
    row = (await connection.execute(_GET, {"name": name})).one_or_none()
    return _agent(row) if row else None


async def list_agents(connection: AsyncConnection, *, after: str, limit: int) -> list[Agent]:
    """Returns agents whose names come after `after`, by name."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_agent(row) for row in rows]


async def lock_agent(connection: AsyncConnection, name: str) -> str | None:
    """Keeps everybody else from changing the agent; returns its etag, if there is one."""
    return await connection.scalar(_LOCK, {"name": name})


async def create_agent(
    connection: AsyncConnection, tenant: UUID, name: str, spec: AgentSpec, created_by: UUID
) -> bool:
    """Stores an agent with its first version; False when the name is taken.

    One insert decides, so two creators cannot both succeed.
    """
    version = uuid4()
    values = {"tenant": tenant, "name": name, "version": version, "etag": uuid4().hex}
    if await connection.scalar(_INSERT, values) is None:
        return False
    await _add_version(connection, version, tenant, name, spec, created_by)
    return True


async def change_agent(
    connection: AsyncConnection, tenant: UUID, name: str, spec: AgentSpec, created_by: UUID
) -> None:
    """Adds a version to an agent that the transaction locked, and activates it."""
    version = uuid4()
    await _add_version(connection, version, tenant, name, spec, created_by)
    await activate(connection, name, version)


async def activate(connection: AsyncConnection, name: str, version: UUID) -> None:
    """Makes a version the active one."""
    await connection.execute(_ACTIVATE, {"name": name, "version": version, "etag": uuid4().hex})


async def delete_agent(connection: AsyncConnection, name: str) -> bool:
    """Deletes an agent; its versions stay, for the turns that name them."""
    return await connection.scalar(_DELETE, {"name": name}) is not None


async def spec_of(connection: AsyncConnection, name: str, version: UUID) -> AgentSpec | None:
    """Returns the spec of an agent's version; None when it is none of the agent's."""
    spec = await connection.scalar(_SPEC_OF, {"id": version, "agent": name})
    return AgentSpec.from_dict(spec) if spec is not None else None


async def any_version(connection: AsyncConnection, name: str) -> bool:
    """Says whether there is or ever was an agent of that name."""
    return await connection.scalar(_ANY_VERSION, {"agent": name}) is not None


async def list_versions(
    connection: AsyncConnection, name: str, *, before: int | None, limit: int
) -> list[AgentVersion]:
    """Returns an agent's versions below number `before`, newest first."""
    values = {"agent": name, "before": before or _BIGGEST, "limit": limit}
    return [
        AgentVersion(
            id=row.id,
            number=row.number,
            spec=AgentSpec.from_dict(row.spec),
            active=row.active,
            created=row.created,
        )
        for row in await connection.execute(_VERSIONS, values)
    ]


async def get_version(connection: AsyncConnection, version: UUID) -> Version | None:
    """Returns a version."""
    row = (await connection.execute(_VERSION, {"id": version})).one_or_none()
    if row is None:
        return None
    return Version(spec=AgentSpec.from_dict(row.spec), created_by=row.created_by)


async def inline_version(
    connection: AsyncConnection, tenant: UUID, spec: AgentSpec, created_by: UUID
) -> UUID:
    """Returns the anonymous version of a spec; the same spec has the same one.

    Those of a tenant who bring new specs take turns, and look again when it is
    theirs: another may have brought the same one.
    """
    digest = digest_of(spec)
    known = await connection.scalar(_INLINE, {"digest": digest})
    if known is None:
        await connection.execute(_TAKE_TURNS, {"tenant": str(tenant)})
        known = await connection.scalar(_INLINE, {"digest": digest})
    if known is not None:
        return known
    version = uuid4()
    await _add_version(connection, version, tenant, "", spec, created_by)
    return version


async def user_of_model(connection: AsyncConnection, model: str) -> str | None:
    """Returns the name of an agent whose active version names the model."""
    return await connection.scalar(_USER_OF_MODEL, {"model": model})


async def user_of_skill(connection: AsyncConnection, skill: str) -> str | None:
    """Returns the name of an agent whose active version names the skill."""
    return await connection.scalar(_USER_OF_SKILL, {"skill": skill})


async def _add_version(
    connection: AsyncConnection,
    version: UUID,
    tenant: UUID,
    name: str,
    spec: AgentSpec,
    created_by: UUID,
) -> None:
    await connection.execute(
        _ADD_VERSION,
        {
            "id": version,
            "tenant": tenant,
            "agent": name,
            "digest": digest_of(spec),
            "spec": orjson.dumps(spec.as_dict()).decode(),
            "created_by": created_by,
        },
    )


def _agent(row: Any) -> Agent:
    return Agent(
        name=row.name,
        version=row.active_version,
        number=row.number,
        spec=AgentSpec.from_dict(row.spec),
        etag=row.etag,
        created=row.created,
        updated=row.updated,
    )
