"""Running calls: the registry's own tasks, which nobody's hanging up ends."""

import asyncio
import itertools
import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

from turnpike.database.replicas import Lease
from turnpike.telemetry import adopt, span
from turnpike.tool_registry import metrics, results
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.ledger import Ledger
from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import Call, Fault, Outcome
from turnpike.tool_registry.persistence import persistently
from turnpike.tool_registry.preparation import NotRunnableError, Plan, Plans, Prepared
from turnpike.tool_registry.runs import Run
from turnpike.tool_registry.sending import METHOD_NOT_FOUND, NotSentError, Sender
from turnpike.tool_registry.shelving import Shelf
from turnpike.tool_registry.veils import Veil

logger = logging.getLogger(__name__)

MAX_RUNNING = 512
"""How many calls run in one process at most."""

_TRIES = 3
_PAUSE_SECONDS = 0.2


class _RefusedForSignInError(Exception):
    """The server wants another credential, and has executed nothing."""

    def __init__(self, error: faults.LinkError) -> None:
        super().__init__(str(error))
        self.error = error


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
        shelf: Shelf,
    ) -> None:
        self._shelf = shelf
        self._ledger = ledger
        self._plans = plans
        self._links = links
        self._sender = Sender(ledger, links, lease)
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

    def start(self, call: Call, *, cleared: Prepared | None = None) -> Run:
        """Runs a call that the ledger gave to this process, or finds it running.

        One that is not `cleared` is prepared anew, and the ledger asked again before the
        request leaves: what is known of the call may be old, and the call be over.
        """
        key = (str(call.tenant), call.effect)
        known = self._runs.get(key)
        if known is not None:
            return known
        run = self._runs[key] = Run(call)
        run.is_cleared = cleared is not None
        metrics.RUNNING.inc()
        run.task = self._tasks.create_task(self._own(run, cleared), name=f"call {call.effect}")
        run.task.add_done_callback(lambda _: self._forget(key, run))
        return run

    def _forget(self, key: tuple[str, str], run: Run) -> None:
        # A callback and not a `finally`: a task that is cancelled before its
        # first step never gets to one.
        metrics.RUNNING.dec()
        self._runs.pop(key, None)
        run.end()

    async def _own(self, run: Run, cleared: Prepared | None) -> None:
        adopt(run.call.traceparent)
        attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": run.call.tool}
        with span(f"execute_tool {run.call.tool}", "internal", attributes):
            outcome = await self._outcome(run, cleared)
            if outcome is None:
                return
            veiled = _veiled(outcome, run.veil)
            outcome = await persistently(lambda: self._shelf.shelved(run.call, veiled))
            call = await persistently(lambda: self._ledger.finish(run.call, outcome))
        metrics.CALLS.labels(call.status.value, call.reason).inc()
        run.become(call)

    async def _outcome(self, run: Run, cleared: Prepared | None) -> Outcome | None:
        try:
            async with asyncio.timeout_at(run.deadline):
                return await self._perform(run, cleared or await self._prepared(run))
        except NotRunnableError as refusal:
            if refusal.outcome.reason == "AUTH_REQUIRED":
                # What has ended is nobody's to find out by asking.
                self._catalogue.expire_soon(run.call.tenant, run.call.tool.partition("/")[0])
            return refusal.outcome
        except TimeoutError:
            return _ended(run, "DEADLINE_EXCEEDED", "the call took longer than it may")
        except Exception:
            # A fault of ours must leave a row that says what is known.
            logger.exception("the call %s failed", run.call.effect)
            return _ended(run, "TOOL_ERROR", "the call failed for a reason of the registry's own")

    async def _prepared(self, run: Run) -> Prepared:
        plan = await persistently(lambda: self._plans.prepare(run.call))
        run.veil = plan.veil
        return Prepared(plan, plan.check(run.call.arguments))

    async def _perform(self, run: Run, prepared: Prepared) -> Outcome | None:
        plan, arguments = prepared.plan, prepared.arguments
        run.veil = plan.veil
        try:
            return await self._sent(run, plan, arguments)
        except _RefusedForSignInError as refusal:
            renewed = await self._renewed(run, plan, refusal.error)
            if renewed is None:
                return self._failed(run.call, refusal.error)
        try:
            return await self._sent(run, renewed, arguments)
        except _RefusedForSignInError as refusal:
            return self._failed(run.call, refusal.error)

    async def _sent(self, run: Run, plan: Plan, arguments: dict[str, Any]) -> Outcome | None:
        for tries in itertools.count(1):
            try:
                return await self._sender.send(run, plan, arguments)
            except (faults.SessionEndedError, NotSentError):
                self._links.retire(plan.link, run.call.conversation)
                if tries == _TRIES and not run.call.task:
                    break
            except faults.LinkError as error:
                outcome = self._judged(run, plan, error, is_last=tries >= _TRIES)
                if outcome is not None:
                    return outcome
                await asyncio.sleep(_PAUSE_SECONDS * 2 ** min(tries - 1, 4))
            if run.call.task:
                await asyncio.sleep(_PAUSE_SECONDS)
        return results.failure("TOOL_UNREACHABLE", "the server does not keep a session")

    async def _renewed(self, run: Run, plan: Plan, error: faults.LinkError) -> Plan | None:
        """Returns a plan with another credential than the one that was refused, if any is."""
        if error.scope:
            # A newer one is for no more than this one: only a person can consent to more.
            await persistently(lambda: self._plans.note_scope(plan, error.scope))
            return None
        if not await persistently(lambda: self._plans.is_renewed(plan)):
            return None
        return await persistently(lambda: self._plans.prepare(run.call))

    def _judged(
        self, run: Run, plan: Plan, error: faults.LinkError, *, is_last: bool
    ) -> Outcome | None:
        """Returns the outcome that an error means; None when the request goes out again."""
        if _is_refused_for_sign_in(error):
            # Who answers 401 has executed nothing: another credential may do.
            run.was_sent = bool(run.call.task)
            raise _RefusedForSignInError(error)
        # What became a task is asked after until its deadline: asking has no effect.
        if isinstance(error, faults.LostError):
            self._links.retire(plan.link, run.call.conversation)
            if run.call.task or (run.call.repeatable and not is_last):
                return None
            return _ended(run, "TOOL_UNREACHABLE", str(error))
        if run.call.task and isinstance(error, faults.UnreachableError):
            return None
        return self._failed(run.call, error)

    def _failed(self, call: Call, error: faults.LinkError) -> Outcome:
        if isinstance(error, faults.InputRequiredError):
            return results.input_required(str(error), error.wanted)
        connector = call.tool.partition("/")[0]
        if error.fault is Fault.AUTH_NEEDED:
            self._catalogue.expire_soon(call.tenant, connector)
            return results.failure("AUTH_REQUIRED", f"{connector!r} needs a sign-in: {error}")
        if isinstance(error, faults.AnsweredWithError):
            return results.failure("TOOL_ERROR", str(error))
        code = error.code if isinstance(error, faults.RefusedError) else None
        if code not in (METHOD_NOT_FOUND, _INVALID_PARAMS):
            return results.failure("TOOL_UNREACHABLE", str(error))
        # The server does not know what its list said: the list is outdated.
        self._catalogue.expire_soon(call.tenant, connector)
        reason = "TOOL_NOT_FOUND" if code == METHOD_NOT_FOUND else "INVALID_ARGUMENTS"
        return results.failure(reason, str(error))


_INVALID_PARAMS = -32602


def _is_refused_for_sign_in(error: faults.LinkError) -> bool:
    refused = isinstance(error, faults.RefusedError | faults.UnreachableError)
    return refused and error.fault is Fault.AUTH_NEEDED


def _veiled(outcome: Outcome, veil: Veil) -> Outcome:
    return replace(
        outcome, result=veil.over(outcome.result), structured=veil.over(outcome.structured)
    )


def _ended(run: Run, reason: str, message: str) -> Outcome:
    if run.was_sent and not run.call.repeatable:
        return results.unknown(message)
    return results.failure(reason, message)
