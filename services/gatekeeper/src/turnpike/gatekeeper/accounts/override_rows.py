"""What tenants have instead of their plans', and what holds in the end, in Postgres."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.accounts.model import LIMITS, HeldLimits, Limits, Overrides

_PRICES = ("default_input_price", "default_output_price")
_COLUMNS = (*LIMITS, *_PRICES)
_NAMES = ", ".join(_COLUMNS)

_GET = text(f"SELECT tenant, {_NAMES} FROM overrides WHERE tenant = :tenant")  # noqa: S608
_LOCK = text(f"SELECT tenant, {_NAMES} FROM overrides WHERE tenant = :tenant FOR UPDATE")  # noqa: S608
_WRITE = text(
    f"INSERT INTO overrides (tenant, {_NAMES})"  # noqa: S608 # names of ours
    f" VALUES (:tenant, {', '.join(f':{name}' for name in _COLUMNS)})"
    " ON CONFLICT (tenant) DO UPDATE SET "
    + ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS)
)
_DELETE = text("DELETE FROM overrides WHERE tenant = :tenant")

# The same that `read_standing` reckons in an admission, said of all limits at once.
_HELD = text(
    "SELECT w.plan, w.tier, w.personal,"  # noqa: S608
    + ", ".join(f" coalesce(o.{name}, w.{name}) AS {name}" for name in LIMITS if name != "slots")
    + ", CASE WHEN w.personal AND w.slots IS NOT NULL THEN w.slots"
    " WHEN w.personal THEN coalesce(o.slots, t.slots)"
    " ELSE coalesce(o.slots, w.slots, t.slots) END AS slots,"
    " o.default_input_price, o.default_output_price"
    " FROM tenants t LEFT JOIN overrides o ON o.tenant = t.tenant LEFT JOIN LATERAL ("
    "SELECT s.plan, p.tier, s.principal IS NOT NULL AS personal, "
    + ", ".join(f"p.{name}" for name in LIMITS)
    + " FROM subscriptions s JOIN plans p ON p.name = s.plan"
    " WHERE s.tenant = t.tenant"
    " AND (s.principal IS NULL OR s.principal = CAST(:principal AS uuid))"
    " AND s.status <> 'ended' AND s.starts <= now() AND (s.ends IS NULL OR s.ends > now())"
    " ORDER BY array_position(ARRAY['enterprise', 'team', 'pro', 'free'], p.tier),"
    " s.principal IS NOT NULL, s.created, s.id LIMIT 1) w ON true WHERE t.tenant = :tenant"
)


async def get_overrides(connection: AsyncConnection, tenant: UUID) -> Overrides | None:
    """Returns what a tenant has instead of its plan's, if anything."""
    row = (await connection.execute(_GET, {"tenant": tenant})).one_or_none()
    return _to_overrides(row) if row else None


async def lock_overrides(connection: AsyncConnection, tenant: UUID) -> Overrides | None:
    """Returns the same; nobody else changes it until the transaction ends."""
    row = (await connection.execute(_LOCK, {"tenant": tenant})).one_or_none()
    return _to_overrides(row) if row else None


async def write_overrides(connection: AsyncConnection, overrides: Overrides) -> None:
    """Makes it so."""
    values = asdict(overrides)
    await connection.execute(_WRITE, {**values.pop("limits"), **values})


async def delete_overrides(connection: AsyncConnection, tenant: UUID) -> None:
    """Gives a tenant its plan's limits again."""
    await connection.execute(_DELETE, {"tenant": tenant})


def _to_overrides(row: Row[Any]) -> Overrides:
    return Overrides(
        tenant=row.tenant,
        limits=Limits(**{name: getattr(row, name) for name in LIMITS}),
        default_input_price=row.default_input_price,
        default_output_price=row.default_output_price,
    )


async def get_held_limits(
    connection: AsyncConnection, tenant: UUID, principal: UUID | None
) -> HeldLimits | None:
    """Returns the limits that hold now, or None where there is no such tenant.

    They are those of a person, or of anybody without a plan of their own.
    """
    values = {"tenant": tenant, "principal": principal}
    row = (await connection.execute(_HELD, values)).one_or_none()
    if row is None:
        return None
    return HeldLimits(
        plan=row.plan or "",
        tier=row.tier or "",
        personal=bool(row.personal),
        limits=Limits(**{name: getattr(row, name) for name in LIMITS}),
        default_input_price=row.default_input_price,
        default_output_price=row.default_output_price,
    )
