"""The catalogue of plans, kept in Postgres. It belongs to no tenant: all may read it."""

from dataclasses import asdict
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.accounts.model import LIMITS, InUseError, Limits, Plan

_COLUMNS = ", ".join(LIMITS)
_SELECT = f"SELECT name, tier, created, {_COLUMNS} FROM plans"  # noqa: S608 # names of ours

_GET = text(f"{_SELECT} WHERE name = :name")
_LOCK = text(f"{_SELECT} WHERE name = :name FOR UPDATE")
_LIST = text(f"{_SELECT} WHERE name > :after ORDER BY name LIMIT :limit")
_WRITE = text(
    f"INSERT INTO plans (name, tier, {_COLUMNS})"  # noqa: S608
    f" VALUES (:name, :tier, {', '.join(f':{name}' for name in LIMITS)})"
    " ON CONFLICT (name) DO UPDATE SET tier = excluded.tier, "
    + ", ".join(f"{name} = excluded.{name}" for name in LIMITS)
)
_DELETE = text("DELETE FROM plans WHERE name = :name")


async def get_plan(connection: AsyncConnection, name: str) -> Plan | None:
    """Returns a plan, if there is one."""
    row = (await connection.execute(_GET, {"name": name})).one_or_none()
    return _to_plan(row) if row else None


async def lock_plan(connection: AsyncConnection, name: str) -> Plan | None:
    """Returns a plan, if there is one; nobody else changes it until the transaction ends."""
    row = (await connection.execute(_LOCK, {"name": name})).one_or_none()
    return _to_plan(row) if row else None


async def list_plans(connection: AsyncConnection, after: str, limit: int) -> list[Plan]:
    """Returns plans by name, from after one on."""
    result = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [_to_plan(row) for row in result]


async def write_plan(connection: AsyncConnection, plan: Plan) -> None:
    """Makes a plan so; the versions of the accounts on it rise."""
    values = {"name": plan.name, "tier": plan.tier, **asdict(plan.limits)}
    await connection.execute(_WRITE, values)


async def delete_plan(connection: AsyncConnection, name: str) -> None:
    """Deletes a plan.

    Raises:
        InUseError: A subscription names it.
    """
    try:
        await connection.execute(_DELETE, {"name": name})
    except IntegrityError as error:
        raise InUseError("plan", name) from error


def _to_plan(row: Row[Any]) -> Plan:
    limits = Limits(**{name: getattr(row, name) for name in LIMITS})
    return Plan(name=row.name, tier=row.tier, limits=limits, created=row.created)
