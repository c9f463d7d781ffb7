"""Telling authorization servers that what they gave is not wanted any more."""

import asyncio
import importlib
import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.database.envelope import SealBrokenError
from turnpike.database.sweeping import sweep_every
from turnpike.database.tenancy import system_transaction
from turnpike.tool_registry import metrics
from turnpike.tool_registry.oauth.grants import grant_from, revocation_from
from turnpike.tool_registry.oauth.refusals import Cause, OAuthError
from turnpike.tool_registry.revocations import Opened, Owed, Revocations

if TYPE_CHECKING:
    from turnpike.tool_registry.oauth.web import Web

logger = logging.getLogger(__name__)

_SWEEP_SECONDS = 2.0
_AT_ONCE = 10
_TRIES = 10
"""The last of them half a day after the first."""


class Revoking:
    """What this process takes back."""

    def __init__(
        self, *, system: AsyncEngine, revocations: Revocations, allow_private: bool
    ) -> None:
        self._system = system
        self._revocations = revocations
        self._allow_private = allow_private

    async def sweep_forever(self) -> None:
        """Takes back what is due, until cancelled."""
        await sweep_every(_SWEEP_SECONDS, self.sweep, later="tokens are taken back later")

    async def sweep(self) -> None:
        """Takes back some of what is due; whoever dies over it leaves it to be found again."""
        async with system_transaction(self._system) as connection:
            owed = await self._revocations.take(connection, room=_AT_ONCE)
        if not owed:
            return
        # In a thread, and not before something is to be done: it imports the SDK's client.
        oauth: Any = await asyncio.to_thread(
            importlib.import_module, "turnpike.tool_registry.oauth.revocation"
        )
        web: Any = importlib.import_module("turnpike.tool_registry.oauth.web")
        async with web.open_web(allow_private=self._allow_private) as opened:
            await asyncio.gather(*(self._settle(opened, oauth.revoke, each) for each in owed))

    async def _settle(self, web: "Web", revoke: Any, owed: Owed) -> None:
        outcome = await self._outcome(web, revoke, owed)
        metrics.REVOCATIONS.labels(outcome).inc()
        if outcome != "later":
            async with system_transaction(self._system) as connection:
                await self._revocations.end(connection, owed)

    async def _outcome(self, web: "Web", revoke: Any, owed: Owed) -> str:
        try:
            opened = self._revocations.opened(owed)
            revocation = revocation_from(opened.revocation)
            taken = [await revoke(web, revocation, *token) for token in _tokens(opened)]
        except SealBrokenError:
            logger.warning("a token of %r cannot be opened, nor taken back", owed.connector)
            return "lost"
        except OAuthError as error:
            if error.cause is Cause.UNREACHABLE and owed.tries < _TRIES:
                return "later"
            logger.warning("a token of %r is not taken back: %s", owed.connector, error)
            return "given_up"
        return "revoked" if all(taken) else "refused"


def _tokens(opened: Opened) -> Iterable[tuple[str, str]]:
    """Yields tokens and their kinds; first what would bring newer ones."""
    refresh = _refresh_token(opened.grant)
    if refresh and refresh == _refresh_token(opened.successor):
        # The server gave the same one again: it is in use.
        return
    if refresh:
        yield refresh, "refresh_token"
    yield opened.access, "access_token"


def _refresh_token(grant: str) -> str:
    return grant_from(grant).refresh_token if grant else ""
