"""Skills and their versions, in Postgres."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import orjson
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.agent_runtime.skills.model import SkillSpec

_COLUMNS = (
    "s.name, s.version, s.etag, s.created, s.updated, v.number, v.spec FROM skills s"
    " JOIN skill_versions v ON v.id = s.version"
)
_GET = text(f"SELECT {_COLUMNS} WHERE s.name = :name")
_LIST = text(f"SELECT {_COLUMNS} WHERE s.name > :after ORDER BY s.name LIMIT :limit")
_VERSIONS = text(
    "SELECT v.id, v.number, v.spec, v.created, v.id = s.version AS active FROM skills s"
    " JOIN skill_versions v ON v.skill = s.name"
    " WHERE s.name = :name AND v.number < CAST(:before AS bigint)"
    " ORDER BY v.number DESC LIMIT :limit"
)
_LOCK = text("SELECT etag FROM skills WHERE name = :name FOR UPDATE")
# In order: agents that name the same skills take turns.
_HOLD = text("SELECT name FROM skills WHERE name = ANY(:names) ORDER BY name FOR SHARE")
_TAKE_TURNS = text(
    "SELECT pg_advisory_xact_lock(hashtextextended('skill ' || :tenant || :name, 0))"
)
_INSERT = text(
    "INSERT INTO skills (tenant, name, version, etag) VALUES (:tenant, :name, :version, :etag)"
    " ON CONFLICT DO NOTHING RETURNING name"
)
_CHANGE = text(
    "UPDATE skills SET version = :version, etag = :etag, updated = statement_timestamp()"
    " WHERE name = :name"
)
_DELETE = text("DELETE FROM skills WHERE name = :name")
# Numbers go on after a deletion: a version's number never means another one.
_ADD_VERSION = text(
    "INSERT INTO skill_versions (id, tenant, skill, number, spec, created_by)"
    " SELECT :id, :tenant, :name, coalesce(max(number), 0) + 1, CAST(:spec AS jsonb), :by"
    " FROM skill_versions WHERE skill = :name"
)
_BIGGEST = 2**31 - 1
_RECORD = text("SELECT record_audit(:tenant, :id, CAST(:entry AS jsonb))")


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A name for versions, and the one that counts."""

    name: str
    version: UUID
    number: int
    spec: SkillSpec
    etag: str
    created: datetime
    updated: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillVersion:
    """What a skill was from one change to the next."""

    id: UUID
    number: int
    spec: SkillSpec
    active: bool
    created: datetime


async def get_skill(connection: AsyncConnection, name: str) -> Skill | None:
    """Returns the skill of that name."""
    row = (await connection.execute(_GET, {"name": name})).one_or_none()
    return _skill(row) if row else None


async def list_skills(connection: AsyncConnection, *, after: str, limit: int) -> list[Skill]:
    """Returns skills whose names come after `after`, by name."""
    rows = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_skill(row) for row in rows]


async def list_versions(
    connection: AsyncConnection, name: str, *, before: int | None, limit: int
) -> list[SkillVersion]:
    """Returns a skill's versions below number `before`, newest first."""
    values = {"name": name, "before": before or _BIGGEST, "limit": limit}
    return [
        SkillVersion(
            id=row.id,
            number=row.number,
            spec=SkillSpec.from_dict(row.spec),
            active=row.active,
            created=row.created,
        )
        for row in await connection.execute(_VERSIONS, values)
    ]


async def lock_skill(connection: AsyncConnection, name: str) -> str | None:
    """Keeps everybody else from changing the skill; returns its etag, if there is one."""
    return await connection.scalar(_LOCK, {"name": name})


async def hold_skills(connection: AsyncConnection, names: Sequence[str]) -> set[str]:
    """Keeps skills from being deleted for the transaction; returns the names of those there are."""
    return set(await connection.scalars(_HOLD, {"names": list(names)})) if names else set()


async def create_skill(
    connection: AsyncConnection, tenant: UUID, name: str, spec: SkillSpec, by: UUID
) -> bool:
    """Stores a skill with its first version, and audits it; False when the name is taken."""
    # Who creates has no row to lock, and its version comes before it.
    await connection.execute(_TAKE_TURNS, {"tenant": str(tenant), "name": name})
    if await get_skill(connection, name) is not None:
        return False
    version = await _add_version(connection, tenant, name, spec, by)
    values = {"tenant": tenant, "name": name, "version": version, "etag": uuid4().hex}
    return await connection.scalar(_INSERT, values) is not None


async def change_skill(
    connection: AsyncConnection, tenant: UUID, name: str, spec: SkillSpec, by: UUID
) -> None:
    """Adds a version to a skill that the transaction locked, makes it count, and audits it."""
    version = await _add_version(connection, tenant, name, spec, by)
    await connection.execute(_CHANGE, {"name": name, "version": version, "etag": uuid4().hex})


async def delete_skill(connection: AsyncConnection, tenant: UUID, name: str, by: UUID) -> None:
    """Deletes a skill, and audits it; its versions stay, for the turns that have them."""
    await connection.execute(_DELETE, {"name": name})
    await _record(connection, tenant, name, uuid4(), {"deleted": True, "by": str(by)})


async def _add_version(
    connection: AsyncConnection, tenant: UUID, name: str, spec: SkillSpec, by: UUID
) -> UUID:
    version = uuid4()
    document = orjson.dumps(spec.as_dict()).decode()
    values = {"id": version, "tenant": tenant, "name": name, "spec": document, "by": by}
    await connection.execute(_ADD_VERSION, values)
    # As a text: the chain covers these very bytes.
    said = {"version": str(version), "spec": document, "by": str(by)}
    await _record(connection, tenant, name, version, said)
    return version


async def _record(
    connection: AsyncConnection, tenant: UUID, name: str, id_: UUID, said: Mapping[str, Any]
) -> None:
    entry = orjson.dumps({"kind": "SKILL_CHANGED", "skill": name, **said}).decode()
    await connection.execute(_RECORD, {"tenant": tenant, "id": f"skill:{id_}", "entry": entry})


def _skill(row: Any) -> Skill:
    return Skill(
        name=row.name,
        version=row.version,
        number=row.number,
        spec=SkillSpec.from_dict(row.spec),
        etag=row.etag,
        created=row.created,
        updated=row.updated,
    )
