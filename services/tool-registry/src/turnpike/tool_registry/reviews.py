"""Tools that wait for a person: what they are, what they were, and how they differ."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.database.tenancy import tenant_transaction
from turnpike.tool_registry import pins, tools
from turnpike.tool_registry.errors import (
    AliasTakenError,
    ConnectorNotFoundError,
    DefinitionMismatchError,
    ToolNotFoundError,
)
from turnpike.tool_registry.model import Change, Tool
from turnpike.tool_registry.texts import shown_plainly

_MAX_DIFF_LINES = 400

_WAITING = text(
    "SELECT t.connector, t.name FROM tools t JOIN connectors c"
    " ON c.tenant = t.tenant AND c.name = t.connector AND c.generation = t.generation"
    " WHERE t.tenant = :tenant AND t.state = 'QUARANTINED'"
    " AND (:connector = '' OR t.connector = :connector)"
    " AND (t.connector, t.name) > (:after_connector, :after_name)"
    " ORDER BY t.connector, t.name LIMIT :limit"
)
_APPROVE = text(
    "UPDATE tools SET state = 'OK', drift = '{}', flags = '{}', renamed_from = ''"
    " WHERE tenant = :tenant AND connector = :connector AND name = :name"
    " AND digest = :digest AND state = 'QUARANTINED' RETURNING name"
)
_SET = text(
    "INSERT INTO tool_settings (tenant, connector, name, enabled, alias)"
    " VALUES (:tenant, :connector, :name, :enabled, :alias)"
    " ON CONFLICT (tenant, connector, name) DO UPDATE SET"
    " enabled = excluded.enabled, alias = excluded.alias"
)
_EXISTS = text("SELECT 1 FROM connectors WHERE tenant = :tenant AND name = :connector")
_LOCK = text("SELECT FROM connectors WHERE tenant = :tenant AND name = :connector FOR UPDATE")


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """A tool that waits."""

    tool: Tool
    """As its server shows it."""

    approved_digest: str
    """Of the definition that was approved; empty when none was."""

    diff: str
    """What changed, line by line, with what cannot be seen spelled out."""


class Reviews:
    """What admins decide about single tools."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self, tenant: UUID, connector: str, *, after: tuple[str, str], limit: int
    ) -> list[Review]:
        """Returns the tools that wait by connector and name, from behind `after` on.

        Raises:
            ConnectorNotFoundError: There is no such connector; an empty one means all.
        """
        values = {
            "tenant": tenant,
            "connector": connector,
            "after_connector": after[0],
            "after_name": after[1],
            "limit": limit,
        }
        async with tenant_transaction(self._engine, tenant) as connection:
            if connector and not (await connection.execute(_EXISTS, values)).first():
                raise ConnectorNotFoundError(connector)
            rows = (await connection.execute(_WAITING, values)).all()
            found = [await tools.get_tool(connection, tenant, *row) for row in rows]
        return [_review(each.kept) for each in found if each is not None]

    async def approve(
        self, tenant: UUID, connector: str, name: str, *, digest: str, approver: str
    ) -> None:
        """Lets a tool be used as its server shows it now.

        Raises:
            ToolNotFoundError: There is none.
            DefinitionMismatchError: It is another than the one that was looked at.
        """
        key = {"tenant": tenant, "connector": connector, "name": name}
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await _locked(connection, key)
            tool = found.tool
            if tool.digest != digest:
                raise DefinitionMismatchError(tool.full_name, tool.digest)
            if await connection.scalar(_APPROVE, {**key, "digest": digest}) is None:
                return
            await pins.pin(connection, tenant, [tool], approver=approver)
            if tool.renamed_from:
                await pins.unpin(connection, tenant, connector, tool.renamed_from)
            await tools.raise_revision(connection, tenant, connector)

    async def set_up(
        self,
        tenant: UUID,
        connector: str,
        name: str,
        *,
        enabled: bool,
        alias: str,
        validate_only: bool,
    ) -> Change:
        """Switches a tool on or off, and says what models call it.

        Raises:
            ToolNotFoundError: There is none.
            AliasTakenError: Another tool of the tenant is called so.
        """
        key = {"tenant": tenant, "connector": connector, "name": name}
        try:
            async with tenant_transaction(self._engine, tenant) as connection:
                kept = await _locked(connection, key)
                if (kept.enabled, kept.alias) == (enabled, alias):
                    return Change.UNCHANGED
                await connection.execute(_SET, {**key, "enabled": enabled, "alias": alias})
                await tools.raise_revision(connection, tenant, connector)
                if validate_only:
                    await connection.rollback()
                return Change.CHANGED
        except IntegrityError as error:
            raise AliasTakenError(alias) from error


async def _locked(connection: AsyncConnection, key: dict[str, Any]) -> tools.KeptTool:
    # A discovery settles under this lock too.
    await connection.execute(_LOCK, key)
    found = await tools.get_tool(connection, key["tenant"], key["connector"], key["name"])
    if found is None:
        raise ToolNotFoundError(f"{key['connector']}/{key['name']}")
    return found.kept


def _review(kept: tools.KeptTool) -> Review:
    return Review(
        tool=kept.tool,
        approved_digest=kept.pinned_digest,
        diff=diff_of(kept.pinned, kept.tool.definition),
    )


def diff_of(approved: str, shown: str) -> str:
    """Returns how two definitions differ, line by line; either may be empty."""
    lines = difflib.unified_diff(
        _lines(approved), _lines(shown), "approved", "shown", n=2, lineterm=""
    )
    kept = [line for _, line in zip(range(_MAX_DIFF_LINES), lines, strict=False)]
    return "\n".join(kept)


def _lines(definition: str) -> Sequence[str]:
    if not definition:
        return []
    pretty = json.dumps(orjson.loads(definition), indent=1, ensure_ascii=False, sort_keys=True)
    return [shown_plainly(line) for line in pretty.splitlines()]
