"""What an admitted segment may use: granted before each model call, and spent by it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from turnpike.agent_runtime.turns.admission import Admission, Admitted, Grant, Slot, is_away
from turnpike.agent_runtime.turns.estimating import Estimate
from turnpike.agent_runtime.turns.model import FREE, Rate, Standing, TurnFailedError, Usage
from turnpike.rpc.errors import RemoteError

_USEFUL_TOKENS = 256
"""A shorter answer than this is not worth its prompt."""

_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 2.0
_ENDING = frozenset({"BANNED", "BUDGET_EXHAUSTED", "SNAPSHOT_INVALID"})

Keep = Callable[[Standing], Awaitable[None]]
"""Stores where the turn stands, for whoever claims it next."""


class Allowance:
    """One segment's grants, for one claim.

    A grant covers one call, until it is paid for: a try that failed before it said
    anything is made again under the same one.
    """

    def __init__(
        self,
        admission: Admission,
        slot: Slot,
        standing: Standing,
        *,
        keep: Keep,
        patience: timedelta,
    ) -> None:
        self.slot = slot
        """What gatekeeper knows the turn by, with the newest receipt."""

        self.standing = standing
        self._admission = admission
        self._patience = patience.total_seconds()
        self._grant: Grant | None = None
        self._step = 0
        self._left = 0
        self._keep = keep
        self._keeping: asyncio.Future[None] | None = None

    def belongs_to(self, agent_owner: UUID) -> None:
        """Says whose agent the turn runs."""
        self.slot = replace(self.slot, agent_owner=str(agent_owner))

    def admit(self, admitted: Admitted) -> None:
        """Takes what the segment was admitted with; it is kept while the first call begins."""
        # A later segment's first call is somewhere in the turn: it is granted when it is known.
        self._take(admitted.grant, step=1 if self.standing.segment == 1 else 0)
        if admitted.snapshot:
            self.standing = replace(
                self.standing, snapshot=admitted.snapshot, admitted=self.standing.segment
            )
            self._keeping = asyncio.ensure_future(self._keep(self.standing))
            # Whoever lost its fence meanwhile commits nothing that would ask.
            self._keeping.add_done_callback(lambda done: done.cancelled() or done.exception())

    async def kept(self) -> None:
        """Returns once what was admitted is stored: no commit comes before it.

        Raises:
            FenceLostError: Another claim owns the turn.
        """
        if self._keeping is not None:
            await asyncio.shield(self._keeping)

    def rate(self, model: str) -> Rate:
        """Returns what a model's tokens are charged at."""
        return self.standing.rates.get(model, FREE)

    def spent(self, usage: Usage) -> None:
        """Says that a call was paid for: the next one is granted anew."""
        self._left -= usage.cost_micro_usd
        self._step = 0

    async def cover(self, step: int, attempt: int, estimate: Estimate) -> int | None:
        """Has a model call granted, unless it is; returns the limit of its answer.

        While gatekeeper is away the call goes on if what was granted before covers
        it, and waits else: nothing is spent that nobody granted.

        Raises:
            TurnFailedError: Somebody was banned, the budget is exhausted, or
                gatekeeper stayed away for as long as a turn may wait.
            RemoteError: Gatekeeper cannot tell.
        """
        if not self._covers(step, estimate):
            known = self.standing.rates.get(estimate.model)
            self._take(await self._extended(step, attempt, estimate), step=step)
            if self.standing.rates[estimate.model] != known:
                # Another model than before: whoever takes over must know what it costs.
                await self._keep(self.standing)
        return self._limit()

    def _covers(self, step: int, estimate: Estimate) -> bool:
        grant = self._grant
        if not self.standing.snapshot:
            return True
        if grant is None or grant.estimate is None or self._step != step:
            return False
        enough = not grant.budgeted or estimate.input_tokens <= grant.estimate.input_tokens
        return enough and estimate.model == grant.estimate.model

    def _limit(self) -> int | None:
        grant = self._grant
        if grant is None or grant.estimate is None or not grant.budgeted:
            return None
        return grant.estimate.max_output_tokens

    def _take(self, grant: Grant, *, step: int) -> None:
        self._grant, self._step = grant, step
        if grant.receipt:
            self.slot = replace(self.slot, receipt=grant.receipt)
        if grant.estimate is not None:
            self._left = _cost(grant.rate, grant.estimate)
            rates = {**self.standing.rates, grant.estimate.model: grant.rate}
            self.standing = replace(self.standing, rates=rates)

    async def _extended(self, step: int, attempt: int, estimate: Estimate) -> Grant:
        loop = asyncio.get_running_loop()
        give_up_at, delay = loop.time() + self._patience, _FIRST_DELAY_SECONDS
        while True:
            try:
                return await self._admission.extend(
                    self.slot,
                    self.standing.snapshot,
                    step=step,
                    attempt=attempt,
                    estimate=estimate,
                )
            except RemoteError as refusal:
                if refusal.reason in _ENDING:
                    raise TurnFailedError(refusal.reason, refusal.message) from refusal
                if not is_away(refusal):
                    raise
                if (grant := self._what_is_left_for(estimate)) is not None:
                    return grant
                if loop.time() + delay > give_up_at:
                    message = "gatekeeper does not answer"
                    raise TurnFailedError("UNAVAILABLE", message) from refusal
            await asyncio.sleep(delay)
            delay = min(delay * 2, _LONGEST_DELAY_SECONDS)

    def _what_is_left_for(self, estimate: Estimate) -> Grant | None:
        """Returns what an earlier grant still covers of a call; None when it does not."""
        grant = self._grant
        if grant is None or grant.estimate is None or grant.estimate.model != estimate.model:
            return None
        if not grant.budgeted:
            return replace(grant, estimate=estimate)
        prompt = replace(estimate, max_output_tokens=0)
        left = self._left - _cost(grant.rate, prompt)
        tokens = left * 1_000_000 // grant.rate.output if grant.rate.output else 0
        if left < 0 or tokens < min(_USEFUL_TOKENS, estimate.max_output_tokens):
            return None
        return replace(
            grant,
            estimate=replace(estimate, max_output_tokens=min(tokens, estimate.max_output_tokens)),
        )


def _cost(rate: Rate, estimate: Estimate) -> int:
    return rate.cost(
        Usage(input_tokens=estimate.input_tokens, output_tokens=estimate.max_output_tokens)
    )
