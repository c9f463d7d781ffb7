"""Renewing what calls carry before it ends: one renewal at a time, over all replicas."""

import asyncio
import importlib
import logging
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.failures import is_unavailable
from turnpike.database.tenancy import tenant_transaction
from turnpike.telemetry import adopt
from turnpike.tool_registry import metrics
from turnpike.tool_registry.credentials import Loan, Renewable
from turnpike.tool_registry.grants import Claim, Grants
from turnpike.tool_registry.oauth.grants import Grant, Tokens, grant_from
from turnpike.tool_registry.oauth.refusals import GrantRefusedError, OAuthError
from turnpike.tool_registry.persistence import persistently

logger = logging.getLogger(__name__)

# A renewal whose process died is begun anew after this long: longer than the
# authorization server is waited for.
LEASE = timedelta(seconds=20)

_PAUSE = timedelta(seconds=15)
_POLL_SECONDS = 0.1
_MOST_SECONDS = 45.0
_SHARE_OF_LIFE = 0.8


class Renewals:
    """The renewals that run in this process."""

    def __init__(
        self,
        *,
        engine: AsyncEngine,
        grants: Grants,
        tasks: asyncio.TaskGroup,
        allow_private: bool,
    ) -> None:
        self._engine = engine
        self._grants = grants
        self._tasks = tasks
        self._allow_private = allow_private
        self._running: dict[tuple[UUID, str, str, str], asyncio.Task[None]] = {}

    async def renew(self, tenant: UUID, connector: str, loan: Loan) -> None:
        """Renews the secret of a loan, or waits for who does; read it again afterwards.

        Nothing tells how it went but what is stored by then: another secret, a refusal, or
        the same secret. A renewal goes on when its callers have gone.
        """
        key = (tenant, connector, loan.principal, loan.mark)
        task = self._running.get(key)
        if task is None:
            task = self._tasks.create_task(self._own(tenant, connector, loan), name="renewal")
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        await asyncio.shield(task)

    async def is_replaced(self, tenant: UUID, connector: str, loan: Loan) -> bool:
        """Says whether there is another secret by now than that of a loan, or none."""
        async with tenant_transaction(self._engine, tenant) as connection:
            return await self._grants.standing(connection, tenant, connector, loan) is None

    async def drained(self, grace: timedelta) -> None:
        """Returns when no renewal runs any more, or after the grace.

        What a server has answered by then must not be lost with this process.
        """
        if self._running:
            await asyncio.wait(self._running.values(), timeout=grace.total_seconds())

    async def _own(self, tenant: UUID, connector: str, loan: Loan) -> None:
        adopt(None)
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + _MOST_SECONDS
        try:
            while not await self._is_settled(tenant, connector, loan):
                if loop.time() > give_up_at:
                    logger.warning("a credential of %r is renewed for too long", connector)
                    return
                await asyncio.sleep(_POLL_SECONDS)
        except Exception as error:
            if not is_unavailable(error):
                logger.exception("a credential of %r was not renewed", connector)

    async def _is_settled(self, tenant: UUID, connector: str, loan: Loan) -> bool:
        async with tenant_transaction(self._engine, tenant) as connection:
            claim = await self._grants.claim(connection, tenant, connector, loan, lease=LEASE)
        if claim is not None:
            await self._perform(claim)
            return True
        async with tenant_transaction(self._engine, tenant) as connection:
            standing = await self._grants.standing(connection, tenant, connector, loan)
        # Another replica may be at it: its row tells when it is done.
        return standing is None or not standing.is_claimed

    async def _perform(self, claim: Claim) -> None:
        grant = grant_from(claim.grant)
        try:
            tokens = await self._ask(grant)
        except GrantRefusedError as error:
            # Another may have renewed it meanwhile, and this is why ours was refused: the
            # statement judges by the row as it is now.
            lost = grant.issuer if error.is_of_client else ""
            outcome = "refused" if await self._refuse(claim, str(error), lost) else "lost"
        except OAuthError as error:
            logger.warning("a credential of %r was not renewed: %s", claim.connector, error)
            await self._release(claim)
            outcome = "failed"
        else:
            # Whatever befalls Postgres: the refresh token that is stored may be used up.
            outcome = "renewed" if await self._store(claim, grant, tokens) else "lost"
        metrics.RENEWALS.labels(outcome).inc()

    async def _ask(self, grant: Grant) -> Tokens:
        # In a thread: the import takes a moment, and calls are waiting.
        tokens: Any = await asyncio.to_thread(
            importlib.import_module, "turnpike.tool_registry.oauth.tokens"
        )
        web: Any = importlib.import_module("turnpike.tool_registry.oauth.web")
        async with web.open_web(allow_private=self._allow_private) as opened:
            return await tokens.renew(opened, grant)

    async def _store(self, claim: Claim, grant: Grant, tokens: Tokens) -> bool:
        headers, renewable = secret_of(grant.renewed_by(tokens), tokens)

        async def store() -> bool:
            async with tenant_transaction(self._engine, claim.tenant) as connection:
                return await self._grants.store(connection, claim, headers, renewable)

        return await persistently(store)

    async def _refuse(self, claim: Claim, refusal: str, lost_client: str) -> bool:
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            return await self._grants.refuse(connection, claim, refusal, lost_client=lost_client)

    async def _release(self, claim: Claim) -> None:
        async with tenant_transaction(self._engine, claim.tenant) as connection:
            await self._grants.release(connection, claim, pause=_PAUSE)


def secret_of(grant: Grant, tokens: Tokens) -> tuple[dict[str, str], Renewable]:
    """Returns what calls carry from now on, and what renews it."""
    life = None if tokens.seconds is None else timedelta(seconds=tokens.seconds)
    # Without the means to renew it, it is judged when it has ended.
    share = _SHARE_OF_LIFE if grant.refresh_token else 1.0
    renewable = Renewable(
        grant=grant.to_text() if grant.refresh_token else "",
        issuer=grant.issuer,
        scope=grant.scope,
        life=life,
        renew_in=None if life is None else life * share,
    )
    return {"authorization": f"Bearer {tokens.access}"}, renewable
