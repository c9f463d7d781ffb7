"""Who opens an idle tenant, and how long the others wait for that one."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import TypeAlias

from turnpike.gatekeeper.holds import UNOPENED, Decision
from turnpike.gatekeeper.terms import Standing

OPENING_TIME = timedelta(seconds=3)
"""How long an idle tenant's first admission may take from Postgres to Redis.

So long those wait that overtake it, and so long Postgres says of the tenant that it was
idle (`read_standing` in the migrations); an admission that takes longer opens nothing.
"""

Decide: TypeAlias = Callable[[Standing, bool], Awaitable[Decision]]
"""Asks the script, by what Postgres said; true where it must decide."""


class Opening:
    """Whether one admission opens an idle tenant, or waits for the one that does.

    Redis knows nothing of an idle tenant, and nothing of one whose state it lost. So one
    admission alone, the first that Postgres told so, may take the one for the other.
    Made before Postgres is asked.
    """

    def __init__(self) -> None:
        self._opens_until = time.monotonic() + OPENING_TIME.total_seconds()
        self._opens = False

    async def run(self, decide: Decide, standing: Standing, last: bool) -> Decision:
        """Asks until the tenant is open, and at last as if its state were lost."""
        # Who was told so, and had to read again, opens it still.
        self._opens = self._opens or standing.opens
        waits_until, pause = time.monotonic() + OPENING_TIME.total_seconds(), 0.001
        while (now := time.monotonic()) < waits_until:
            opens = self._opens and now < self._opens_until
            if opens != standing.opens:
                standing = replace(standing, opens=opens)
            decision = await decide(standing, last)
            if decision.outcome != UNOPENED:
                return decision
            await asyncio.sleep(min(pause, waits_until - now))
            pause *= 2
        return await decide(replace(standing, opens=False, idle=False), last)
