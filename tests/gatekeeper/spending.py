"""A thousand turns that spend one budget, of whose holders a third is killed."""

import asyncio
import random
from dataclasses import dataclass, field

import grpc

from tests.gatekeeper.money import MODEL, Turn, spender, used
from tests.gatekeeper.serving import Tenant
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import ModelPrice, Prices

KILLED = 0.3
REPEATED = 0.5
_MOST_AGAIN = 50


@dataclass
class Spree:
    """Turns that run at once until a budget is used up.

    Each is admitted, settles what it used some time after, and sometimes says so twice.
    Who is killed says nothing; a successor settles the call as estimated.
    """

    tenant: Tenant
    rng: random.Random
    turns: int
    orphans: list[tuple[Turn, int, int]] = field(default_factory=list[tuple[Turn, int, int]])
    admitted: int = 0

    async def run(self, at_once: int) -> None:
        """Runs them all."""
        gate = asyncio.Semaphore(at_once)

        async def one(seed: int) -> None:
            async with gate:
                await self._turn(random.Random(seed))

        await asyncio.gather(*(one(self.rng.getrandbits(64)) for _ in range(self.turns)))
        await asyncio.gather(*(self._bury(*orphan) for orphan in self.orphans))

    async def _turn(self, rng: random.Random) -> None:
        # 2 to 8 micro-dollars a token, 100 for the prompt and 900 for the answer at most.
        price = rng.randint(200_000, 800_000)
        prices = [ModelPrice(model=MODEL, prices=Prices(input=price, output=price))]
        turn = spender(self.tenant, 100, 900, prices=prices)
        granted = await self._admit(turn, rng)
        if granted is None:
            return
        self.admitted += 1
        prompt, answer = rng.randint(1, 100), rng.randint(granted // 2, granted)
        if rng.random() < KILLED:
            self.orphans.append((turn, prompt, answer))
            return
        for _ in range(rng.randint(1, 3)):
            await turn.settle(used(1, prompt, answer))
        await turn.release()

    async def _admit(self, turn: Turn, rng: random.Random) -> int | None:
        """Returns how long the answer may be; None when the budget is used up."""
        while True:
            try:
                grant = (await turn.admit()).grant
                if rng.random() < REPEATED:
                    grant = (await turn.admit()).grant
            except grpc.aio.AioRpcError as error:
                if error.code() is grpc.StatusCode.UNAVAILABLE:
                    continue
                return None
            return grant.max_output_tokens if grant.HasField("max_output_tokens") else 900

    async def _bury(self, turn: Turn, prompt: int, answer: int) -> None:
        await turn.settle(used(1, prompt, answer, estimated=True))
        await turn.release()


async def spend_all(tenant: Tenant, seed: int, turns: int, at_once: int) -> Spree:
    """Runs turns until nobody is admitted any more; the budget is for a quarter of them."""
    spree = Spree(tenant, random.Random(seed), turns)
    await spree.run(at_once)
    # Whoever comes late finds room where others had held more than they used.
    for again in range(1, _MOST_AGAIN):
        late = Spree(tenant, random.Random(seed + again * 1_000), turns // 10)
        await late.run(at_once)
        if not late.admitted:
            break
        spree.admitted += late.admitted
    return spree
