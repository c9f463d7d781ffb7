"""One try at a call: the request, its answer, and the task that it may have become."""

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from turnpike.database.replicas import Lease
from turnpike.telemetry import traceparent
from turnpike.tool_registry import metrics, results
from turnpike.tool_registry.answering import answers_of
from turnpike.tool_registry.ledger import Ledger
from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.answers import Result, Task, to_task
from turnpike.tool_registry.links.exchange import Progress
from turnpike.tool_registry.links.pool import Links
from turnpike.tool_registry.model import CallStatus, Outcome
from turnpike.tool_registry.persistence import persistently
from turnpike.tool_registry.preparation import Plan
from turnpike.tool_registry.runs import Run

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

IDEMPOTENCY_KEY = "turnpike/idempotency-key"
"""Under which `_meta` carries the effect's id."""

METHOD_NOT_FOUND = -32601

_STOP_SECONDS = 2.0


class NotSentError(Exception):
    """The session had ended before the request was sent: another one may be open."""


class Sender:
    """Sends calls to their servers, once the ledger lets them go."""

    def __init__(self, ledger: Ledger, links: Links, lease: Lease) -> None:
        self._ledger = ledger
        self._links = links
        self._lease = lease

    async def send(self, run: Run, plan: Plan, arguments: dict[str, Any]) -> Outcome | None:
        """Returns how a call ended; None when it is not this process's to send.

        Raises:
            NotSentError: The session was over; nothing was sent.
            LinkError: See there.
        """
        async with self._links.using(plan.link, plan.endpoint, run.call.conversation) as link:
            if not await self._may_send(run, plan):
                return None
            if run.call.task:
                run.was_sent = True
                task = Task(id=run.call.task, status="working", pause=0.0, message="", result=None)
                return await self._follow(run, link, task)
            run.was_sent = True
            with metrics.CALL_SECONDS.time():
                answer = await self._call(run, plan, link, arguments)
            return await self._settled(run, link, answer)

    async def _may_send(self, run: Run, plan: Plan) -> bool:
        """Says whether the call is this process's to send, with the ledger saying so."""
        call, repeatable = run.call, plan.is_repeatable
        if not run.is_cleared:
            if not await persistently(lambda: self._ledger.dispatch(call, repeatable=repeatable)):
                return False
            run.is_cleared = True
            run.become(replace(call, status=CallStatus.DISPATCHED, repeatable=repeatable))
        # A process that was stopped and goes on may have been declared dead, and be another by
        # now: then somebody else has said already what becomes of the call.
        return call.executor == self._lease.id and self._lease.is_fresh()

    async def _call(self, run: Run, plan: Plan, link: "Link", arguments: dict[str, Any]) -> Result:
        try:
            return await _request(run, plan, link, arguments, as_task=False)
        except faults.UnreachableError as error:
            run.was_sent = False
            raise NotSentError(str(error)) from error
        except faults.RefusedError as error:
            # How a server says that the tool runs as a task, or not at all.
            if error.code != METHOD_NOT_FOUND or not link.makes_tasks:
                raise
            return await _request(run, plan, link, arguments, as_task=True)
        except asyncio.CancelledError:
            # The server may go on, and answer into a session that others use.
            self._links.retire(plan.link, run.call.conversation)
            raise

    async def _settled(self, run: Run, link: "Link", answer: Result) -> Outcome:
        task = to_task(answer)
        if task is None:
            return results.from_answer(answer)
        call = run.call
        # From here on the call survives this process: whoever takes it asks after the task.
        await persistently(lambda: self._ledger.note_task(call, task.id))
        run.become(replace(call, task=task.id))
        return await self._follow(run, link, task)

    async def _follow(self, run: Run, link: "Link", task: Task) -> Outcome:
        told: set[str] = set()
        try:
            while not task.is_over:
                if task.message:
                    run.hear(Progress(message=task.message))
                await asyncio.sleep(task.pause)
                if task.status == "input_required":
                    await _tell(run, link, task, told)
                task = to_task(await link.task("get", task.id)) or task
        except asyncio.CancelledError:
            if run.is_result_unwanted():
                await _stop(link, task)
            raise
        if task.status != "completed":
            return results.failure("TOOL_ERROR", task.message or f"the task is {task.status}")
        return results.from_answer(task.result or await link.task("result", task.id))


async def _tell(run: Run, link: "Link", task: Task, told: set[str]) -> None:
    """Tells a task what persons gave; raises `InputRequiredError` when it asks for more."""
    given = answers_of(run.call).get("inputResponses", {})
    missing = {key: asked for key, asked in task.requests.items() if key not in given}
    if missing or not (given or run.call.answers):
        wanted: dict[str, Any] = {"task": task.id}
        if missing:
            wanted["inputRequests"] = missing
        raise faults.InputRequiredError(task.message or "the task waits", wanted)
    # It may go on waiting for a moment after it was told.
    if new := {key: given[key] for key in task.requests if key not in told}:
        await link.task("update", task.id, inputResponses=new)
        told.update(new)


async def _request(
    run: Run, plan: Plan, link: "Link", arguments: dict[str, Any], *, as_task: bool
) -> Result:
    return await link.call_tool(
        plan.tool,
        arguments,
        meta={IDEMPOTENCY_KEY: run.call.effect, "traceparent": traceparent()},
        input_schema=plan.input_schema,
        is_unwanted=run.is_result_unwanted,
        heard=run.hear,
        answers=answers_of(run.call),
        task_seconds=run.call.seconds_left if as_task else None,
    )


async def _stop(link: "Link", task: Task) -> None:
    with suppress(TimeoutError, faults.LinkError):
        async with asyncio.timeout(_STOP_SECONDS):
            await link.task("cancel", task.id)
