"""A connection to a built-in connector, as those to MCP servers are used."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from turnpike.rpc.identity import Signer
from turnpike.tool_registry.built_in.definitions import TOOLS
from turnpike.tool_registry.built_in.knowledge import Asker, Knowledge, UnansweredError
from turnpike.tool_registry.links.faults import LostError, RefusedError
from turnpike.tool_registry.model import Endpoint

_METHOD_NOT_FOUND = -32601
_EFFECT = "turnpike/idempotency-key"


class KnowledgeLink:
    """Speaks for one requester to the tenant's documents; keeps nothing between calls."""

    is_stateless = True
    is_shareable = True
    tells = False
    makes_tasks = False
    has_resources = False
    version = "built-in"
    server = ("turnpike knowledge", "1")

    def __init__(
        self, knowledge: Knowledge, signer: Signer, tenant: UUID, endpoint: Endpoint
    ) -> None:
        self._knowledge = knowledge
        self._signer = signer
        self._tenant = tenant
        self._principal = endpoint.requester
        self._over = asyncio.Event()
        self.was_called = False

    @property
    def is_open(self) -> bool:
        """Whether requests can be sent."""
        return not self._over.is_set()

    def can_send(self, _input_schema: object) -> bool:
        """Whether calls can be sent: all of ours."""
        return True

    def carry(self, endpoint: Endpoint) -> None:
        """Has no credential to renew."""

    def close(self) -> None:
        """Ends the link."""
        self._over.set()

    async def hold(self, opened: "asyncio.Future[None]") -> None:
        """Settles `opened`, and returns when the link is closed."""
        opened.set_result(None)
        await self._over.wait()

    async def listen(self, _on_begin: Callable[[], None]) -> None:
        """Returns when the link is closed: its list never changes."""
        await self._over.wait()

    async def ping(self) -> bool:
        """Is always there."""
        return True

    async def list_tools(self, _cursor: str | None) -> Mapping[str, Any]:
        """Returns the tools, on one page."""
        return {"tools": TOOLS}

    async def call_tool(
        self,
        name: str,
        arguments: dict[str, Any],
        *,
        meta: Mapping[str, Any],
        is_unwanted: Callable[[], bool],
        **_others: Any,
    ) -> Mapping[str, Any]:
        """Returns a tool's answer.

        Raises:
            LostError: The service did not answer; the same effect may be asked for again.
            RefusedError: There is no such tool.
        """
        del is_unwanted
        self.was_called = True
        asker = Asker(
            metadata=self._signer.metadata_for(self._tenant, self._principal),
            effect=str(meta[_EFFECT]),
        )
        try:
            return await self._knowledge.call(name, asker, arguments)
        except KeyError as error:
            raise RefusedError(f"there is no tool {name!r}", code=_METHOD_NOT_FOUND) from error
        except UnansweredError as error:
            raise LostError(str(error)) from error

    async def task(self, method: str, identity: str, **_others: Any) -> Mapping[str, Any]:
        """Knows no tasks."""
        raise RefusedError(f"there is no task {identity!r} to {method}", code=_METHOD_NOT_FOUND)
