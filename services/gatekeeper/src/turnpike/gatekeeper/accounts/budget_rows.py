"""A tenant's budgets and what is spent of them, kept in Postgres."""

from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.gatekeeper.accounts.model import Budget

# In the order of bytes, whatever the database's collation.
_NAME = "concat_ws('.', b.scope, nullif(b.subject, ''), b.period) COLLATE \"C\""
_SELECT = (
    "SELECT b.scope, b.subject, b.period, b.limit_micro_usd, b.created,"
    " coalesce(c.spent_micro_usd, 0) AS spent_micro_usd, period_end(b.period, now()) AS resets"
    " FROM budgets b LEFT JOIN counters c ON c.tenant = b.tenant AND c.scope = b.scope"
    " AND c.subject = b.subject AND c.period = b.period"
    " AND c.starts = period_start(b.period, now())"
)
_ONE = " b.scope = :scope AND b.subject = :subject AND b.period = :period"

_GET = text(f"{_SELECT} WHERE {_ONE}")
_LOCK = text(f"SELECT FROM budgets b WHERE {_ONE} FOR UPDATE")
_LIST = text(f"{_SELECT} WHERE {_NAME} > :after ORDER BY {_NAME} LIMIT :limit")
_WRITE = text(
    "INSERT INTO budgets (tenant, scope, subject, period, limit_micro_usd)"
    " VALUES (:tenant, :scope, :subject, :period, :limit_micro_usd)"
    " ON CONFLICT (tenant, scope, subject, period)"
    " DO UPDATE SET limit_micro_usd = excluded.limit_micro_usd"
)
_DELETE = text(f"DELETE FROM budgets b WHERE {_ONE}")  # noqa: S608
_HAS = {
    "principal": text("SELECT EXISTS (SELECT FROM principals WHERE id = :id)"),
    "key": text("SELECT EXISTS (SELECT FROM api_keys WHERE id = :id)"),
}


async def has_subject(connection: AsyncConnection, scope: str, id: UUID) -> bool:
    """Says whether the tenant has such a principal, or such a key."""
    return bool(await connection.scalar(_HAS[scope], {"id": id}))


async def get_budget(
    connection: AsyncConnection, scope: str, subject: str, period: str
) -> Budget | None:
    """Returns a budget, if there is one."""
    values = {"scope": scope, "subject": subject, "period": period}
    row = (await connection.execute(_GET, values)).mappings().one_or_none()
    return Budget(**row) if row else None


async def lock_budget(
    connection: AsyncConnection, scope: str, subject: str, period: str
) -> Budget | None:
    """Returns the same; nobody else changes it until the transaction ends."""
    values = {"scope": scope, "subject": subject, "period": period}
    await connection.execute(_LOCK, values)
    return await get_budget(connection, scope, subject, period)


async def list_budgets(connection: AsyncConnection, after: str, limit: int) -> list[Budget]:
    """Returns the tenant's budgets by name, from after one on."""
    result = await connection.execute(_LIST, {"after": after, "limit": limit})
    return [Budget(**row) for row in result.mappings()]


async def write_budget(connection: AsyncConnection, tenant: UUID, budget: Budget) -> None:
    """Makes a budget so."""
    values = {
        "tenant": tenant,
        "scope": budget.scope,
        "subject": budget.subject,
        "period": budget.period,
        "limit_micro_usd": budget.limit_micro_usd,
    }
    await connection.execute(_WRITE, values)


async def delete_budget(connection: AsyncConnection, scope: str, subject: str, period: str) -> None:
    """Deletes a budget."""
    values = {"scope": scope, "subject": subject, "period": period}
    await connection.execute(_DELETE, values)
