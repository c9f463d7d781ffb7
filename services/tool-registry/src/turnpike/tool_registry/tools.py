"""The catalogue's rows, kept in Postgres."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry import pins
from turnpike.tool_registry.judgement import Judgement
from turnpike.tool_registry.model import ConnectorState, Tool, ToolState

# What is shown of a tool that waits is what was approved, never what waits.
_SHOWN = (
    "SELECT c.etag, c.enabled AS connected, c.owner, c.distrusted, c.discovered_at,"
    " t.name, t.definition, t.digest, t.state, t.drift, t.flags, t.renamed_from,"
    " coalesce(p.definition, '') AS pinned, coalesce(p.digest, '') AS pinned_digest,"
    " coalesce(s.enabled, true) AS enabled, coalesce(s.alias, '') AS alias,"
    # Which connector it is, and which server: not its name, nor what it is signed in to with.
    " encode(sha256(convert_to(concat_ws(' ', extract(epoch FROM c.created), c.transport, c.url,"
    " c.command), 'UTF8')), 'hex') AS identity"
)
_WITH_THEIRS = (
    " LEFT JOIN tool_pins p ON p.tenant = t.tenant AND p.connector = t.connector"
    " AND p.name = t.name"
    " LEFT JOIN tool_settings s ON s.tenant = t.tenant AND s.connector = t.connector"
    " AND s.name = t.name"
)
# The generation is the guard: what was discovered before an edit is dropped; and the
# revision: what was judged by something else is judged again.
_SETTLE_GOOD = text(
    "UPDATE connectors SET state = 'OK', state_reason = :remark, fault = '',"
    " warnings = :warnings, discovered = true, failures = 0, discovered_at = :begun,"
    " tells = :tells, claimed_until = NULL, changed = false,"
    " refresh_at = CASE WHEN changed THEN statement_timestamp()"
    " ELSE statement_timestamp() + CAST(:fresh AS interval) END"
    " WHERE tenant = :tenant AND name = :connector AND generation = :generation"
    " AND revision = :revision RETURNING name"
)
_CURRENT = text(
    "SELECT name, definition, digest, state, drift, flags, renamed_from FROM tools"
    " WHERE tenant = :tenant AND connector = :connector AND generation = :generation"
)
_CLEAR = text("DELETE FROM tools WHERE tenant = :tenant AND connector = :connector")
_INSERT = text(
    "INSERT INTO tools (tenant, connector, name, generation, definition, digest, state, drift,"
    " flags, renamed_from)"
    " VALUES (:tenant, :connector, :name, :generation, :definition, :digest, :state, :drift,"
    " :flags, :renamed_from)"
)
_RAISE_REVISION = text(
    "UPDATE connectors SET revision = revision + 1 WHERE tenant = :tenant AND name = :connector"
)
# The connector's row comes also when it has no tools.
_OF_CONNECTOR = text(
    f"{_SHOWN} FROM connectors c LEFT JOIN tools t"
    " ON c.tenant = t.tenant AND c.name = t.connector AND c.generation = t.generation"
    f"{_WITH_THEIRS}"
    " WHERE c.tenant = :tenant AND c.name = :connector AND c.revision = :revision"
    " ORDER BY t.name"
)
_ONE = text(
    f"{_SHOWN} FROM tools t JOIN connectors c"
    " ON c.tenant = t.tenant AND c.name = t.connector AND c.generation = t.generation"
    f"{_WITH_THEIRS}"
    " WHERE t.tenant = :tenant AND t.connector = :connector AND t.name = :name"
)
_SEEN = text(
    "SELECT discovered_at >= :since FROM connectors WHERE tenant = :tenant AND name = :connector"
)
# In order: of two who note the use of the same ones, one waits.
_USED = text(
    "UPDATE connectors c SET used = statement_timestamp() FROM ("
    "  SELECT name FROM connectors WHERE tenant = :tenant AND name = ANY(CAST(:names AS text[]))"
    "  AND used < statement_timestamp() - interval '1 minute'"
    "  ORDER BY tenant, name FOR NO KEY UPDATE) idle"
    " WHERE c.tenant = :tenant AND c.name = idle.name"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueEntry:
    """A connector as a listing sees it."""

    connector: str
    revision: int
    state: ConnectorState
    discovered: bool
    stale: bool
    used: bool
    """Whether it was used in the last minute, and its row says so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTool:
    """A tool with what was approved and what admins say about it."""

    tool: Tool
    """As the server shows it."""

    pinned: str
    """The approved definition; empty when none was."""

    pinned_digest: str
    enabled: bool
    alias: str
    distrusted: bool
    """Whether its hints about effects count for nothing."""

    identity: str
    """Of its connector: another once that was made anew, or leads to another server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallableTool:
    """A tool as a call needs to know it."""

    kept: KeptTool
    etag: str
    connected: bool
    owner: str
    seen: datetime | None
    """When the discovery began that saw it last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a discovery saw beside the tools."""

    begun: datetime
    """When it began, by Postgres' clock."""

    remark: str
    warnings: list[str]
    fresh: timedelta
    tells: bool


async def list_entries(pool: asyncpg.Pool, tenant: UUID, principal: str) -> list[CatalogueEntry]:
    """Returns the connectors that a principal sees, by name; all without one. One round trip."""
    rows = await pool.fetch("SELECT * FROM list_catalogue($1, $2)", tenant, principal)
    return [
        CatalogueEntry(
            connector=row["name"],
            revision=row["revision"],
            state=ConnectorState(row["state"]),
            discovered=row["discovered"],
            stale=row["stale"],
            used=row["used"],
        )
        for row in rows
    ]


async def seen_since(
    connection: AsyncConnection, tenant: UUID, connector: str, since: datetime
) -> bool:
    """Says whether a connector's tools were discovered after a moment."""
    values = {"tenant": tenant, "connector": connector, "since": since}
    return bool(await connection.scalar(_SEEN, values))


async def note_use(connection: AsyncConnection, tenant: UUID, connectors: list[str]) -> None:
    """Writes down that connectors are used: somebody is to listen for their changes."""
    await connection.execute(_USED, {"tenant": tenant, "names": connectors})


async def replace_tools(
    connection: AsyncConnection,
    tenant: UUID,
    connector: str,
    generation: int,
    basis: pins.Basis,
    judgement: Judgement,
    seen: Seen,
) -> bool:
    """Stores what was discovered; False when connector or basis are others by now.

    Nothing but the time is written when the tools are the same as before.
    """
    key = {"tenant": tenant, "connector": connector}
    values = {**key, "generation": generation}
    guard = {
        **values,
        "revision": basis.revision,
        "begun": seen.begun,
        "remark": seen.remark,
        "warnings": seen.warnings,
        "fresh": seen.fresh,
        "tells": seen.tells,
    }
    if await connection.scalar(_SETTLE_GOOD, guard) is None:
        return False
    await pins.pin(connection, tenant, judgement.pinned, approver="")
    current = {_to_tool(connector, row) for row in await connection.execute(_CURRENT, values)}
    if current == set(judgement.tools) and not judgement.pinned:
        return True
    await connection.execute(_RAISE_REVISION, key)
    await connection.execute(_CLEAR, key)
    if judgement.tools:
        rows = [{**values, **_columns(tool)} for tool in judgement.tools]
        await connection.execute(_INSERT, rows)
    return True


async def raise_revision(connection: AsyncConnection, tenant: UUID, connector: str) -> None:
    """Makes every replica read a connector's tools anew."""
    await connection.execute(_RAISE_REVISION, {"tenant": tenant, "connector": connector})


async def list_tools(
    connection: AsyncConnection, tenant: UUID, connector: str, revision: int
) -> list[KeptTool] | None:
    """Returns a connector's tools by name, as of a revision; None when it has passed."""
    values = {"tenant": tenant, "connector": connector, "revision": revision}
    rows = (await connection.execute(_OF_CONNECTOR, values)).all()
    if not rows:
        return None
    return [_to_kept(connector, row) for row in rows if row.name is not None]


async def get_tool(
    connection: AsyncConnection, tenant: UUID, connector: str, name: str
) -> CallableTool | None:
    """Returns a tool as it is now."""
    values = {"tenant": tenant, "connector": connector, "name": name}
    row = (await connection.execute(_ONE, values)).one_or_none()
    if row is None:
        return None
    return CallableTool(
        kept=_to_kept(connector, row),
        etag=row.etag,
        connected=row.connected,
        owner=row.owner,
        seen=row.discovered_at,
    )


def _columns(tool: Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "definition": tool.definition,
        "digest": tool.digest,
        "state": tool.state.value,
        "drift": list(tool.drift),
        "flags": list(tool.flags),
        "renamed_from": tool.renamed_from,
    }


def _to_kept(connector: str, row: Any) -> KeptTool:
    return KeptTool(
        tool=_to_tool(connector, row),
        pinned=row.pinned,
        pinned_digest=row.pinned_digest,
        enabled=row.enabled,
        alias=row.alias,
        distrusted=row.distrusted,
        identity=row.identity,
    )


def _to_tool(connector: str, row: Any) -> Tool:
    return Tool(
        connector=connector,
        name=row.name,
        definition=row.definition,
        digest=row.digest,
        state=ToolState(row.state),
        drift=tuple(row.drift),
        flags=tuple(row.flags),
        renamed_from=row.renamed_from,
    )
