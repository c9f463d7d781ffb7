"""The calls of one session that are under way, and which of them its server speaks of."""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import mcp_types
from mcp.client.session import ClientRequestContext

from turnpike.tool_registry.links.exchange import Exchange

# Over HTTP the SDK brings what a server asks within the response to a request into the
# context that the request was sent from.
_exchange: "ContextVar[Exchange | None]" = ContextVar("exchange", default=None)


class Exchanges:
    """Takes what the server says beside its answers."""

    def __init__(self) -> None:
        self._under_way: dict[str, Exchange] = {}

    @contextmanager
    def under_way(self, request_id: str, exchange: Exchange) -> Generator[None]:
        """Has the server speak of `exchange` while inside."""
        self._under_way[request_id] = exchange
        _exchange.set(exchange)
        try:
            yield
        finally:
            _exchange.set(None)
            del self._under_way[request_id]

    async def log(self, params: mcp_types.LoggingMessageNotificationParams) -> None:
        """Takes a line of the server's log."""
        exchange = self._spoken_of()
        if exchange is not None:
            exchange.log(params.data)

    async def elicit(
        self, context: ClientRequestContext, params: mcp_types.ElicitRequestParams
    ) -> mcp_types.ElicitResult | mcp_types.ErrorData:
        """Takes a question to a person."""
        del context
        exchange = self._spoken_of()
        if exchange is None:
            # Whoever is asked for the wrong call answers what was not asked.
            message = "it is not known which call asks: call one at a time"
            return mcp_types.ErrorData(code=mcp_types.INVALID_REQUEST, message=message)
        asked = params.model_dump(by_alias=True, mode="json", exclude_none=True)
        return mcp_types.ElicitResult.model_validate(exchange.ask(asked))

    def _spoken_of(self) -> Exchange | None:
        """Returns the call that the server speaks of: where it does not say, the only one."""
        exchange = _exchange.get()
        if exchange is None and len(self._under_way) == 1:
            return next(iter(self._under_way.values()))
        return exchange
