"""The definitions that may be shown, kept in Postgres."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry.model import Tool

_MAX_NAMES = 5000

_BASIS = text(
    "SELECT c.revision, EXISTS (SELECT FROM tools t WHERE t.tenant = c.tenant"
    " AND t.connector = c.name AND t.generation = c.generation) AS seen"
    " FROM connectors c WHERE c.tenant = :tenant AND c.name = :connector"
    " AND c.generation = :generation"
)
_PINS = text(
    "SELECT name, definition, digest FROM tool_pins"
    " WHERE tenant = :tenant AND connector = :connector"
)
_OTHERS = text(
    "SELECT connector || '/' || name FROM tool_pins"
    " WHERE tenant = :tenant AND connector <> :connector LIMIT :limit"
)
_PIN = text(
    "INSERT INTO tool_pins (tenant, connector, name, definition, digest, approver)"
    " VALUES (:tenant, :connector, :name, :definition, :digest, :approver)"
    " ON CONFLICT (tenant, connector, name) DO UPDATE SET definition = excluded.definition,"
    " digest = excluded.digest, approver = excluded.approver, approved = statement_timestamp()"
)
_UNPIN = text("DELETE FROM tool_pins WHERE tenant = :tenant AND connector = :connector")
_UNPIN_ONE = text(
    "DELETE FROM tool_pins WHERE tenant = :tenant AND connector = :connector AND name = :name"
)


@dataclass(frozen=True, slots=True)
class Pin:
    """A definition that was approved, or seen first."""

    definition: str
    digest: str


@dataclass(frozen=True, slots=True)
class Basis:
    """What a discovery's tools are judged by."""

    revision: int
    """Moves with whatever may change the judgement."""

    seen: bool
    """Whether the connector, as it is now, has shown tools before."""

    pins: dict[str, Pin]
    others: frozenset[str]
    """Full names of other connectors' tools."""

    @property
    def is_first_use(self) -> bool:
        """Whether what is shown now is what is approved from now on."""
        return not self.seen and not self.pins


async def read_basis(
    connection: AsyncConnection, tenant: UUID, connector: str, generation: int
) -> Basis | None:
    """Returns what tools are judged by; None when the connector is another by now."""
    key = {"tenant": tenant, "connector": connector}
    row = (await connection.execute(_BASIS, {**key, "generation": generation})).one_or_none()
    if row is None:
        return None
    pins = {
        pin.name: Pin(pin.definition, pin.digest) for pin in await connection.execute(_PINS, key)
    }
    others = await connection.scalars(_OTHERS, {**key, "limit": _MAX_NAMES})
    return Basis(row.revision, row.seen, pins, frozenset(others))


async def pin(
    connection: AsyncConnection, tenant: UUID, tools: list[Tool], *, approver: str
) -> None:
    """Makes these definitions the approved ones of their tools."""
    rows = [
        {
            "tenant": tenant,
            "connector": tool.connector,
            "name": tool.name,
            "definition": tool.definition,
            "digest": tool.digest,
            "approver": approver,
        }
        for tool in tools
    ]
    if rows:
        await connection.execute(_PIN, rows)


async def unpin(connection: AsyncConnection, tenant: UUID, connector: str, name: str = "") -> None:
    """Forgets what was approved: of one tool, or of the whole connector."""
    key = {"tenant": tenant, "connector": connector}
    if name:
        await connection.execute(_UNPIN_ONE, {**key, "name": name})
    else:
        await connection.execute(_UNPIN, key)
