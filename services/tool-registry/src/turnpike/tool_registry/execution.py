"""Running calls: the registry's own tasks, which nobody's hanging up ends."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from turnpike.database.failures import is_unavailable
from turnpike.database.replicas import Lease
from turnpike.telemetry import adopt, span, traceparent
from turnpike.tool_registry import metrics, results
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.ledger import Ledger
from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import Call, CallStatus, Outcome
from turnpike.tool_registry.preparation import NotRunnableError, Plan, Plans

logger = logging.getLogger(__name__)

IDEMPOTENCY_KEY = "turnpike/idempotency-key"
"""Under which `_meta` carries the effect's id."""

MAX_RUNNING = 512
"""How many calls run in one process at most."""

_TRIES = 3
_PAUSE_SECONDS = 0.2

T = TypeVar("T")


class Run:
    """A call that runs in this process."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.is_over = False
        self.is_unwanted = False
        """Whether the server is to be told to stop when the run is cancelled."""

        self.is_cleared = False
        """Whether the ledger let the request go in the statement that wrote the call."""

        self.was_sent = False
        self.deadline = asyncio.get_running_loop().time() + call.seconds_left
        self.task: asyncio.Task[None] | None = None
        self._changed = asyncio.Event()

    def become(self, call: Call) -> None:
        """Shows the call as it now stands to whoever watches."""
        self.call = call
        self._wake()

    def end(self) -> None:
        """Tells the watchers that this process does no more about the call."""
        self.is_over = True
        self._wake()

    def cancel(self) -> None:
        """Stops the run and tells the server; the call is cancelled."""
        self.is_unwanted = True
        self.abandon()

    def abandon(self) -> None:
        """Stops the run without a word to the server; the call is not ours any more."""
        if self.task is not None:
            self.task.cancel()

    def is_result_unwanted(self) -> bool:
        """Whether nobody will want the result: the server may as well stop."""
        return self.is_unwanted or asyncio.get_running_loop().time() >= self.deadline

    async def watch(self, *, at_least_every: float) -> AsyncGenerator[Call]:
        """Yields the call at each change, and now and then, until the run is over."""
        while True:
            changed = self._changed
            yield self.call
            if self.is_over:
                return
            with suppress(TimeoutError):
                async with asyncio.timeout(at_least_every):
                    await changed.wait()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Executor:
    """Makes the calls that the ledger gives to this process."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        plans: Plans,
        links: Links,
        lease: Lease,
        tasks: asyncio.TaskGroup,
        catalogue: Catalogue,
    ) -> None:
        self._ledger = ledger
        self._plans = plans
        self._links = links
        self._lease = lease
        self._tasks = tasks
        self._catalogue = catalogue
        self._runs: dict[tuple[str, str], Run] = {}
        self._is_draining = False

    @property
    def has_room(self) -> bool:
        """Whether this process takes another call."""
        return not self._is_draining and len(self._runs) < MAX_RUNNING

    def stop_taking(self) -> None:
        """Takes no new calls from now on; those that run go on."""
        self._is_draining = True

    def run_of(self, call: Call) -> Run | None:
        """Returns the run of a call, if this process has one."""
        return self._runs.get((str(call.tenant), call.effect))

    def runs(self) -> list[Run]:
        """Returns every run."""
        return list(self._runs.values())

    async def drained(self, grace: timedelta) -> None:
        """Returns when no call runs any more, or after the grace."""
        tasks = [run.task for run in self._runs.values() if run.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())

    def start(self, call: Call, *, is_cleared: bool = False) -> Run:
        """Runs a call that the ledger gave to this process, or finds it running.

        Unless it `is_cleared`, the ledger is asked again before the request leaves:
        what is known of the call may be old, and the call be over.
        """
        key = (str(call.tenant), call.effect)
        known = self._runs.get(key)
        if known is not None:
            return known
        run = self._runs[key] = Run(call)
        run.is_cleared = is_cleared
        metrics.RUNNING.inc()
        run.task = self._tasks.create_task(self._own(run), name=f"call {call.effect}")
        run.task.add_done_callback(lambda _: self._forget(key, run))
        return run

    def _forget(self, key: tuple[str, str], run: Run) -> None:
        # A callback and not a `finally`: a task that is cancelled before its
        # first step never gets to one.
        metrics.RUNNING.dec()
        self._runs.pop(key, None)
        run.end()

    async def _own(self, run: Run) -> None:
        adopt(run.call.traceparent)
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": run.call.tool}
        with span(f"execute_tool {run.call.tool}", "internal", attributes):
            outcome = await self._outcome(run)
            if outcome is None:
                return
            call = await _persistently(lambda: self._ledger.finish(run.call, outcome))
        metrics.CALLS.labels(call.status.value, call.reason).inc()
        run.become(call)

    async def _outcome(self, run: Run) -> Outcome | None:
        try:
            async with asyncio.timeout_at(run.deadline):
                return await self._perform(run)
        except NotRunnableError as refusal:
            return refusal.outcome
        except TimeoutError:
            return _ended(run, "DEADLINE_EXCEEDED", "the call took longer than it may")
        except Exception:
            # A fault of ours must leave a row that says what is known.
            logger.exception("the call %s failed", run.call.effect)
            return _ended(run, "TOOL_ERROR", "the call failed for a reason of the registry's own")

    async def _perform(self, run: Run) -> Outcome | None:
        plan = self._plans.remembered(run.call.tenant, run.call.tool, run.call.definition_digest)
        if plan is None or not run.is_cleared:
            plan = await _persistently(lambda: self._plans.prepare(run.call))
        arguments = plan.check(run.call.arguments)
        for attempt in range(_TRIES):
            try:
                return await self._attempt(run, plan, arguments)
            except (faults.SessionEndedError, _NotSentError):
                self._links.retire(plan.link)
            except faults.LostError as error:
                self._links.retire(plan.link)
                if not run.call.repeatable or attempt == _TRIES - 1:
                    return _ended(run, "TOOL_UNREACHABLE", str(error))
                await asyncio.sleep(_PAUSE_SECONDS * 2**attempt)
            except faults.LinkError as error:
                return self._failed(run.call, error)
        return results.failure("TOOL_UNREACHABLE", "the server does not keep a session")

    async def _attempt(self, run: Run, plan: Plan, arguments: dict[str, object]) -> Outcome | None:
        async with self._links.using(plan.link, plan.endpoint) as link:
            if not await self._may_send(run, plan):
                return None
            run.was_sent = True
            with metrics.CALL_SECONDS.time():
                try:
                    answer = await link.call_tool(
                        plan.tool,
                        arguments,
                        meta={IDEMPOTENCY_KEY: run.call.effect, "traceparent": traceparent()},
                        input_schema=plan.input_schema,
                        is_unwanted=run.is_result_unwanted,
                    )
                except faults.UnreachableError as error:
                    run.was_sent = False
                    raise _NotSentError(str(error)) from error
                except asyncio.CancelledError:
                    # The server may go on, and answer into a session that others use.
                    self._links.retire(plan.link)
                    raise
        return results.from_answer(answer)

    async def _may_send(self, run: Run, plan: Plan) -> bool:
        """Says whether the call is this process's to send, with the ledger saying so."""
        call, repeatable = run.call, plan.is_repeatable
        if not run.is_cleared:
            if not await _persistently(lambda: self._ledger.dispatch(call, repeatable=repeatable)):
                return False
            run.is_cleared = True
            run.become(replace(call, status=CallStatus.DISPATCHED, repeatable=repeatable))
        # A process that was stopped and goes on may have been declared dead:
        # then somebody else has said already what becomes of the call.
        return self._lease.is_fresh()

    def _failed(self, call: Call, error: faults.LinkError) -> Outcome:
        if isinstance(error, faults.AnsweredWithError):
            return results.failure("TOOL_ERROR", str(error))
        code = error.code if isinstance(error, faults.RefusedError) else None
        if code not in (_METHOD_NOT_FOUND, _INVALID_PARAMS):
            return results.failure("TOOL_UNREACHABLE", str(error))
        # The server does not know what its list said: the list is outdated.
        self._catalogue.expire_soon(call.tenant, call.tool.partition("/")[0])
        reason = "TOOL_NOT_FOUND" if code == _METHOD_NOT_FOUND else "INVALID_ARGUMENTS"
        return results.failure(reason, str(error))


_METHOD_NOT_FOUND = -32601
_INVALID_PARAMS = -32602


class _NotSentError(Exception):
    """The session had ended before the request was sent: another one may be open."""


def _ended(run: Run, reason: str, message: str) -> Outcome:
    if run.was_sent and not run.call.repeatable:
        return results.unknown(message)
    return results.failure(reason, message)


async def _persistently(operation: Callable[[], Awaitable[T]]) -> T:
    """Returns what `operation` does, however long Postgres is away.

    Only for what is harmless to do twice.
    """
    while True:
        try:
            return await operation()
        except Exception as error:
            if not is_unavailable(error):
                raise
            logger.warning("postgres is away: %s", type(error).__name__)
        await asyncio.sleep(_PAUSE_SECONDS)
