"""What may be done to policies and grants."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.errors import NotFoundError, check_etag
from turnpike.agent_runtime.policy import store
from turnpike.agent_runtime.policy.store import KeptGrant, PolicyVersion
from turnpike.database.tenancy import tenant_transaction

Change = Literal["CREATED", "CHANGED", "UNCHANGED"]

_NEWEST = (datetime.max.replace(tzinfo=UTC), UUID(int=2**128 - 1))


class Policies:
    """A suite's policies: of tenants, whose principal is nobody, and of people."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def get(self, tenant: UUID, principal: UUID) -> PolicyVersion | None:
        """Returns what is said now, if anything is."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.current(connection, tenant, principal)

    async def change(
        self,
        tenant: UUID,
        principal: UUID,
        *,
        spec: Mapping[str, Any],
        by: UUID,
        etag: str,
        validate_only: bool,
    ) -> tuple[PolicyVersion, Change]:
        """Makes what is said `spec`, as a new version, and records that.

        Raises:
            EtagMismatchError: It was changed meanwhile.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            before = await store.current(connection, tenant, principal, lock=True)
            check_etag(etag, before.etag if before else "")
            if before is not None and before.spec == spec:
                return before, "UNCHANGED"
            made = await store.change(
                connection, tenant, principal, spec=spec, by=by, before=before
            )
            if validate_only:
                await connection.rollback()
        return made, "CHANGED" if before else "CREATED"

    async def versions(
        self, tenant: UUID, principal: UUID, *, before: int | None, limit: int
    ) -> list[PolicyVersion]:
        """Returns versions below a number, newest first."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.versions(connection, tenant, principal, before=before, limit=limit)


class Grants:
    """A suite's grants."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def page(
        self,
        tenant: UUID,
        *,
        principal: UUID | None,
        ended: bool,
        before: tuple[datetime, UUID] | None,
        limit: int,
    ) -> list[KeptGrant]:
        """Returns grants of a principal, or of everybody; newest first."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await store.list_grants(
                connection,
                tenant,
                principal=principal,
                ended=ended,
                before=before or _NEWEST,
                limit=limit,
            )

    async def revoke(
        self, tenant: UUID, grant: str, *, principal: UUID | None, by: UUID
    ) -> KeptGrant:
        """Revokes a grant; no judgement that begins after this knows it.

        Args:
            tenant: Whose.
            grant: Its id.
            principal: Whose grant it must be; None for anybody's.
            by: Who revokes it.

        Raises:
            NotFoundError: There is none of that id.
        """
        async with tenant_transaction(self._engine, tenant) as connection:
            found = await store.get_grant(connection, tenant, _id(grant))
            if found is None or principal not in (None, found.principal):
                raise NotFoundError("grant", grant)
            await store.revoke_grant(connection, tenant, found, by)
            return await store.get_grant(connection, tenant, found.id) or found


def _id(grant: str) -> UUID:
    try:
        return UUID(grant)
    except ValueError:
        raise NotFoundError("grant", grant) from None
