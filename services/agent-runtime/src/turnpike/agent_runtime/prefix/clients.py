"""Sessions of clients that send their own history again with each request."""

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import orjson

from turnpike.agent_runtime.models.caching import provider_behind
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.prefix.counting import COMMIT_SECONDS, COMMITS
from turnpike.agent_runtime.prefix.history import History
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.model import Entry, Ledger, Miss, Reason, Reported
from turnpike.agent_runtime.prefix.observing import observe
from turnpike.agent_runtime.prefix.predicting import rules_of
from turnpike.agent_runtime.prefix.reconciling import reconcile
from turnpike.agent_runtime.prefix.store import PrefixStore
from turnpike.database.failures import is_unavailable

logger = logging.getLogger(__name__)

PATIENCE = timedelta(milliseconds=50)
"""How long a request waits at most for a commit under way of its session."""

_LOOK_SECONDS = 0.005
_TRIED_FOR_SECONDS = 30.0
_FIRST_DELAY_SECONDS = 0.1
_SLOWEST_RETRY_SECONDS = 2.0
_LAST_WORDS_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """A client's request."""

    tenant: UUID
    principal: UUID
    given: str
    """The client's own name of the session."""

    request: str
    """The request's id."""

    model: Model
    tools: bytes = b"[]"
    """A JSON array, as it came."""

    messages: Sequence[bytes]
    """JSON objects, each as it came."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """What is sent in a request's place, and what its reply is committed by."""

    tools: bytes
    messages: Sequence[bytes]
    cache_key: str
    """The session's `prompt_cache_key`, for providers that take one."""

    revision: int
    """What its commit goes on from."""

    epoch: int
    predicted: int
    miss: Miss | None
    history: History | None
    """None when the ledger could not be read; nothing is committed then."""

    asking: Asking


class ClientSessions:
    """Finds the ledgered bytes of a request, and commits its reply in the background.

    `serve` must be running.
    """

    def __init__(self, store: PrefixStore, salt: Salt, *, patience: timedelta = PATIENCE) -> None:
        """Takes how long a request waits at most for a commit under way."""
        self._patience = patience
        self._store = store
        self._salt = salt
        self._group: asyncio.TaskGroup | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    @property
    def under_way(self) -> frozenset[asyncio.Task[None]]:
        """The commits that are not over yet."""
        return frozenset(self._under_way)

    async def serve(self) -> None:
        """Owns the commits; once cancelled it gives those under way a few seconds more."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                if self._under_way:
                    await asyncio.wait(set(self._under_way), timeout=_LAST_WORDS_SECONDS)

    async def begin(self, asking: Asking) -> Begun:
        """Returns the elements to send for a client's request.

        Waits for a commit under way of the session, 50 ms at most, on whatever replica. When the
        ledger cannot be read the request goes out as it came.
        """
        session = self._salt.client_session(
            asking.tenant, asking.principal, asking.model.name, asking.given
        )
        try:
            ledger = await self._opened(asking, session)
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("the prefix ledger does not answer; a request goes out as it came")
            return self._bypassed(asking, session)
        return self._begun(asking, session, ledger)

    def commit(
        self,
        begun: Begun,
        *,
        reply: bytes,
        reported: Reported | None,
        interrupted: bool = False,
    ) -> None:
        """Commits a request and its reply, in the background.

        Args:
            begun: The request.
            reply: The assistant's message, as the client will send it again; see `reply_element`.
            reported: What the provider said of it.
            interrupted: The reply was cut: it is not kept, and the next request starts an epoch.
        """
        if begun.history is None:
            return
        entry = begun.history.entry(
            [] if interrupted or not reply else [reply],
            reported,
            label=begun.asking.request,
            interrupted=interrupted,
        )
        observe(entry)
        self._spawn(self._commit(begun.asking, entry))

    def abandon(self, begun: Begun) -> None:
        """Says, in the background, that a request came to nothing: nobody waits for it."""
        if begun.history is not None:
            self._spawn(self._give_up(begun.asking, begun.history.session, "FAILED"))

    def _begun(self, asking: Asking, session: str, ledger: Ledger) -> Begun:
        opening = reconcile(ledger, [asking.tools, *asking.messages])
        if opening.miss and ledger.head.pending:
            opening = replace(opening, miss=Miss(Reason.BUSY_FORK, opening.miss.difference))
        history, model = History(session, opening), asking.model
        provider = provider_behind(model)
        tools, *messages = history.send(
            [],
            model=model.name,
            route=self._salt.route(model),
            rules=rules_of(provider, model.base_url),
            provider=provider,
        )
        return Begun(
            tools=tools,
            messages=messages,
            cache_key=self._salt.cache_key(asking.tenant, session),
            revision=history.revision,
            epoch=history.epoch,
            predicted=history.predicted,
            miss=opening.miss,
            history=history,
            asking=asking,
        )

    def _bypassed(self, asking: Asking, session: str) -> Begun:
        return Begun(
            tools=asking.tools,
            messages=asking.messages,
            cache_key=self._salt.cache_key(asking.tenant, session),
            revision=0,
            epoch=0,
            predicted=0,
            miss=Miss(Reason.BYPASS),
            history=None,
            asking=asking,
        )

    async def _opened(self, asking: Asking, session: str) -> Ledger:
        """Returns the ledger, with the reply that the client has seen already if that is near."""
        loop = asyncio.get_running_loop()
        until = loop.time() + self._patience.total_seconds()
        messages = len(asking.messages)
        ledger = await self._store.open(asking.tenant, session, asking.request, messages)
        while _has_heard(asking, ledger) and loop.time() < until:
            await asyncio.sleep(_LOOK_SECONDS)
            later = await self._store.read(asking.tenant, session)
            if later.head.revision != ledger.head.revision:
                # What is pending now is this request.
                return replace(later, head=replace(later.head, pending=0))
        return ledger

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        if self._group is None:
            work.close()
            COMMITS.labels(outcome="ABANDONED").inc()
            return
        task = self._group.create_task(work)
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _commit(self, asking: Asking, entry: Entry) -> None:
        loop = asyncio.get_running_loop()
        began, delay = loop.time(), _FIRST_DELAY_SECONDS
        while True:
            outcome = await self._tried(asking, entry)
            if outcome:
                break
            if loop.time() + delay > began + _TRIED_FOR_SECONDS:
                outcome = "ABANDONED"
                break
            await asyncio.sleep(delay)
            delay = min(delay * 2, _SLOWEST_RETRY_SECONDS)
        COMMITS.labels(outcome=outcome).inc()
        COMMIT_SECONDS.observe(loop.time() - began)
        if outcome not in ("COMMITTED", "STALE"):
            logger.warning("a reply is not in the prefix ledger: %s", outcome)
            await self._give_up(asking, entry.session, outcome)

    async def _tried(self, asking: Asking, entry: Entry) -> str:
        """Returns what became of a commit; nothing when it may be tried again."""
        try:
            fresh = await self._store.write(asking.tenant, asking.request, entry)
        except Exception as error:  # noqa: BLE001 # named and counted: a reply is never failed by it
            return "" if is_unavailable(error) else type(error).__name__
        return "COMMITTED" if fresh else "STALE"

    async def _give_up(self, asking: Asking, session: str, outcome: str) -> None:
        try:
            await self._store.abandon(asking.tenant, session, asking.request, outcome)
        except Exception as error:  # noqa: BLE001 # it is forgotten after a while
            logger.warning("a request stays pending in the prefix ledger: %r", error)


def _has_heard(asking: Asking, ledger: Ledger) -> bool:
    """Says whether the client has seen the end of a reply that is not committed yet.

    Then its commit is under way. Who sends the same history again, or another one, is a second
    request beside the first, which may take long.
    """
    pending = ledger.head.pending
    if not 0 < pending < len(asking.messages):
        return False
    try:
        following = orjson.loads(asking.messages[pending])
    except orjson.JSONDecodeError:
        return False
    return isinstance(following, dict) and following.get("role") == "assistant"
