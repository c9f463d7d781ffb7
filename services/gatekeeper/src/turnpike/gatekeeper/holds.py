"""Admissions and what they hold, kept in Redis: each a single script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from redis.asyncio import Redis

from turnpike.gatekeeper.model import Segment
from turnpike.gatekeeper.scripts import Script, key, ms, redis_answers
from turnpike.gatekeeper.slots import HEARTBEAT_INTERVAL, MARKER_TTL, RECEIPT_TIME, SLOT_TTL
from turnpike.gatekeeper.terms import LEAST_OUTPUT, Ask, Budget, Held, Rate, Receipt, Standing

ADMITTED, OVER_BUDGET, OVER_RATE, NO_SLOT, STATE_LOST, STALE, ENDED, UNOPENED = range(1, 9)
"""What a script decides."""

_UNDECIDED = (STALE, UNOPENED)

_TIMES = (ms(HEARTBEAT_INTERVAL), ms(RECEIPT_TIME), ms(MARKER_TTL))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What a script decided, and what every gate said."""

    outcome: int
    taken: int = 0
    budget: Budget | None = None
    left: int = 0
    rate: Rate | None = None
    rate_wait_ms: int = 0
    lane: str = ""
    """Whose slots are all taken: `tenant` or `principal`."""

    lane_wait_ms: int = 0
    closed_ms: int = 0
    held: Held | None = None


class Holds:
    """What running turns hold, of every tenant; see lua/holds.lua."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._admit = Script("admit")
        self._extend = Script("extend")
        self._settle = Script("settle")
        self._register = Script("register_hold")

    async def admit(
        self, segment: Segment, standing: Standing, ask: Ask, *, last: bool, look: bool = False
    ) -> Decision:
        """Takes the slots, the rates and the hold of a segment, or none of them.

        Args:
            segment: What is admitted.
            standing: What Postgres said a moment ago.
            ask: What its first call may cost.
            last: Decide by the worst case rather than answer STALE.
            look: Change nothing.

        Raises:
            RedisAwayError: Redis is away.
        """
        rates = [rate for rate in (standing.rate, standing.tokens) if rate]
        # Later segments pay the tokens, and are not refused for them.
        firm = int(segment.number == 1)
        charged = [rate for rate in rates if firm or rate.name == "tokens"]
        keys = [*_keys(segment), *(_rate_key(segment.tenant, rate) for rate in charged)]
        args: list[Any] = [
            "look" if look else "admit",
            str(segment.turn),
            segment.number,
            segment.attempt,
            ms(SLOT_TTL),
            _opening(standing),
            *_TIMES,
            standing.slots,
            standing.principal_slots or 0,
            *_subjects(segment),
            *_account(standing, ask, last=last),
            len(charged),
        ]
        for rate in charged:
            cells = "tokens" if rate.name == "tokens" else 1
            args += [rate.per_minute, rate.burst, cells, firm]
        async with redis_answers():
            answer = await self._admit.run(self._redis, keys, args)
        return _decision(answer, standing, charged)

    async def extend(
        self, segment: Segment, standing: Standing, ask: Ask, step: int, *, last: bool
    ) -> Decision:
        """Renews a segment's slots and tops its hold up by another call.

        Raises:
            RedisAwayError: Redis is away.
        """
        tokens = standing.tokens
        keys = _keys(segment)
        if tokens:
            keys.append(_rate_key(segment.tenant, tokens))
        args: list[Any] = [
            str(segment.turn),
            segment.number,
            step,
            segment.attempt,
            ms(SLOT_TTL),
            _opening(standing),
            *_TIMES,
            *_subjects(segment),
            *_account(
                standing, ask, last=last, before_budgets=[tokens.per_minute if tokens else 0]
            ),
        ]
        async with redis_answers():
            answer = await self._extend.run(self._redis, keys, args)
        if answer[0] in _UNDECIDED:
            return Decision(outcome=answer[0])
        outcome, budget, left, closed, output, clamped, hold, *parts = answer
        return Decision(
            outcome=outcome,
            budget=standing.budgets[budget - 1] if budget else None,
            left=left,
            closed_ms=closed,
            held=_held(output, clamped, hold, parts),
        )

    async def settle(
        self,
        tenant: UUID,
        turn: UUID,
        segment: int,
        account: tuple[int, int, int],
        payer: str,
        calls: Sequence[tuple[int, int, int]],
    ) -> None:
        """Lets the parts fall that belong to calls which the ledger has.

        Args:
            tenant: The turn's tenant.
            turn: The turn.
            segment: The segment that the calls belong to.
            account: Its version, last change and settled sum, after the commit.
            payer: To whose rate the calls' tokens were charged: `tenant`, or the
                principal's id.
            calls: Step, attempt and tokens used of each model call.

        Raises:
            RedisAwayError: Redis is away.
        """
        keys = [key(tenant, "account"), key(tenant, "turn", turn)]
        keys.append(key(tenant, "rate", payer, "tokens"))
        args = [*account, segment, *(number for call in calls for number in call)]
        async with redis_answers():
            await self._settle.run(self._redis, keys, args)

    async def register(self, receipts: Sequence[Receipt]) -> None:
        """Registers holds again that Redis lost.

        Raises:
            RedisAwayError: Redis is away.
        """
        if not receipts:
            return
        calls = [
            (
                [key(each.tenant, "account"), key(each.tenant, "turn", each.turn)],
                [
                    str(each.principal),
                    str(each.key or ""),
                    each.agent,
                    *(part for pair in each.parts.items() for part in pair),
                ],
            )
            for each in receipts
        ]
        async with redis_answers():
            await self._register.run_each(self._redis, calls)


def _keys(segment: Segment) -> list[str]:
    tenants = key(segment.tenant, "")
    return [
        f"{tenants}slots",
        f"{tenants}slots:{segment.principal}",
        f"{tenants}marker",
        f"{tenants}released",
        f"{tenants}account",
        f"{tenants}turn:{segment.turn}",
    ]


def _rate_key(tenant: UUID, rate: Rate) -> str:
    return key(tenant, "rate", rate.payer, rate.name)


def _subjects(segment: Segment) -> tuple[str, str, str]:
    return str(segment.principal), str(segment.key or ""), segment.agent


def _opening(standing: Standing) -> int:
    if standing.opens:
        return 1
    return 2 if standing.idle else 0


def _account(
    standing: Standing, ask: Ask, *, last: bool, before_budgets: Sequence[int] = ()
) -> list[Any]:
    args: list[Any] = [
        standing.version,
        standing.changed,
        standing.settled,
        int(last),
        ask.input_cost,
        ask.price.output,
        ask.most,
        LEAST_OUTPUT,
        ask.floor,
        ask.input_tokens,
        *before_budgets,
        len(standing.budgets),
    ]
    for budget in standing.budgets:
        args += [budget.field, budget.limit, budget.spent]
    return args


def _decision(answer: list[Any], standing: Standing, rates: Sequence[Rate]) -> Decision:
    if answer[0] in _UNDECIDED:
        return Decision(outcome=answer[0])
    outcome, taken, budget, left, rate, rate_wait, lane, lane_wait, closed = answer[:9]
    output, clamped, hold, *parts = answer[9:]
    return Decision(
        outcome=outcome,
        taken=taken,
        budget=standing.budgets[budget - 1] if budget else None,
        left=left,
        rate=rates[rate - 1] if rate else None,
        rate_wait_ms=rate_wait,
        lane=("", "tenant", "principal")[lane],
        lane_wait_ms=lane_wait,
        closed_ms=closed,
        held=_held(output, clamped, hold, parts),
    )


def _held(output: int, clamped: int, hold: int, parts: Sequence[bytes]) -> Held:
    names = [part.decode() for part in parts]
    return Held(
        output=output,
        clamped=bool(clamped),
        hold=hold,
        parts=dict(zip(names[::2], names[1::2], strict=True)),
    )
