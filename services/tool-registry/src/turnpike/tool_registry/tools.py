"""The catalogue's rows, kept in Postgres."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry.model import ConnectorState, Tool, ToolState

# A discovery claims its connector by moving the time at which it is due; of all
# replicas that find it due, one does.
_CLAIM = text(
    "UPDATE connectors SET refresh_at = statement_timestamp() + :lease"
    " WHERE tenant = :tenant AND name = :name AND refresh_at <= statement_timestamp()"
    " RETURNING generation"
)
_EXPIRE = text(
    "UPDATE connectors SET refresh_at = statement_timestamp()"
    " WHERE tenant = :tenant AND name = :name AND state = 'OK'"
)
# The generation is the guard: what was discovered before an edit is dropped.
_SETTLE_GOOD = text(
    "UPDATE connectors SET state = 'OK', state_reason = :remark, discovered = true, failures = 0,"
    " refresh_at = statement_timestamp() + :fresh"
    " WHERE tenant = :tenant AND name = :name AND generation = :generation RETURNING name"
)
_RAISE_REVISION = text(
    "UPDATE connectors SET revision = revision + 1 WHERE tenant = :tenant AND name = :name"
)
_SETTLE_FAILED = text(
    "UPDATE connectors SET state = 'DEGRADED', state_reason = :reason, failures = failures + 1,"
    " refresh_at = statement_timestamp() + :pause"
    " WHERE tenant = :tenant AND name = :name AND generation = :generation"
)
_CURRENT = text(
    "SELECT name, definition, digest, state FROM tools"
    " WHERE tenant = :tenant AND connector = :connector AND generation = :generation"
)
_CLEAR = text("DELETE FROM tools WHERE tenant = :tenant AND connector = :connector")
_INSERT = text(
    "INSERT INTO tools (tenant, connector, name, generation, definition, digest, state)"
    " VALUES (:tenant, :connector, :name, :generation, :definition, :digest, :state)"
)
# The connector's row comes also when it has no tools.
_OF_CONNECTOR = text(
    "SELECT t.name, t.definition, t.digest, t.state FROM connectors c LEFT JOIN tools t"
    " ON c.tenant = t.tenant AND c.name = t.connector AND c.generation = t.generation"
    " WHERE c.tenant = :tenant AND c.name = :connector AND c.revision = :revision"
    " ORDER BY t.name"
)
_ONE = text(
    "SELECT t.name, t.definition, t.digest, t.state, c.etag FROM tools t JOIN connectors c"
    " ON c.tenant = t.tenant AND c.name = t.connector AND c.generation = t.generation"
    " WHERE t.tenant = :tenant AND t.connector = :connector AND t.name = :name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A connector as a listing sees it."""

    connector: str
    generation: int
    revision: int
    state: ConnectorState
    discovered: bool
    failures: int
    stale: bool


async def list_entries(pool: asyncpg.Pool, tenant: UUID) -> list[CatalogueEntry]:
    """Returns a tenant's connectors by name. One round trip."""
    rows = await pool.fetch("SELECT * FROM list_connector_states($1)", tenant)
    return [
        CatalogueEntry(
            connector=row["name"],
            generation=row["generation"],
            revision=row["revision"],
            state=ConnectorState(row["state"]),
            discovered=row["discovered"],
            failures=row["failures"],
            stale=row["stale"],
        )
        for row in rows
    ]


async def claim_discovery(
    connection: AsyncConnection, tenant: UUID, connector: str, *, lease: timedelta
) -> int | None:
    """Returns the generation to discover, or None when it is not due or another does it."""
    values = {"tenant": tenant, "name": connector, "lease": lease}
    return await connection.scalar(_CLAIM, values)


async def expire(connection: AsyncConnection, tenant: UUID, connector: str) -> None:
    """Makes a connector's list due at once, unless it is failing already."""
    await connection.execute(_EXPIRE, {"tenant": tenant, "name": connector})


async def replace_tools(
    connection: AsyncConnection,
    tenant: UUID,
    connector: str,
    generation: int,
    tools: list[Tool],
    *,
    remark: str,
    fresh: timedelta,
) -> bool:
    """Stores what was discovered; False when the connector was changed meanwhile.

    Nothing but the time is written when the tools are the same as before.
    """
    key = {"tenant": tenant, "name": connector}
    guard = {**key, "generation": generation, "remark": remark, "fresh": fresh}
    if await connection.scalar(_SETTLE_GOOD, guard) is None:
        return False
    values = {"tenant": tenant, "connector": connector, "generation": generation}
    current = {_to_tool(connector, row) for row in await connection.execute(_CURRENT, values)}
    if current == set(tools):
        return True
    await connection.execute(_RAISE_REVISION, key)
    await connection.execute(_CLEAR, values)
    if tools:
        await connection.execute(_INSERT, [{**values, **_columns(tool)} for tool in tools])
    return True


async def note_failure(
    connection: AsyncConnection,
    tenant: UUID,
    connector: str,
    generation: int,
    *,
    reason: str,
    pause: timedelta,
) -> None:
    """Marks a connector as failing; its last good list stands."""
    await connection.execute(
        _SETTLE_FAILED,
        {
            "tenant": tenant,
            "name": connector,
            "generation": generation,
            "reason": reason,
            "pause": pause,
        },
    )


async def list_tools(
    connection: AsyncConnection, tenant: UUID, connector: str, revision: int
) -> list[Tool] | None:
    """Returns a connector's tools by name, as of a revision; None when it has passed."""
    values = {"tenant": tenant, "connector": connector, "revision": revision}
    rows = (await connection.execute(_OF_CONNECTOR, values)).all()
    if not rows:
        return None
    return [_to_tool(connector, row) for row in rows if row.name is not None]


async def get_tool(
    connection: AsyncConnection, tenant: UUID, connector: str, name: str
) -> tuple[Tool, str] | None:
    """Returns a tool as it is now, and its connector's etag."""
    values = {"tenant": tenant, "connector": connector, "name": name}
    row = (await connection.execute(_ONE, values)).one_or_none()
    return None if row is None else (_to_tool(connector, row), row.etag)


def _columns(tool: Tool) -> dict[str, str]:
    return {
        "name": tool.name,
        "definition": tool.definition,
        "digest": tool.digest,
        "state": tool.state.value,
    }


def _to_tool(connector: str, row: Any) -> Tool:
    return Tool(
        connector=connector,
        name=row.name,
        definition=row.definition,
        digest=row.digest,
        state=ToolState(row.state),
    )
