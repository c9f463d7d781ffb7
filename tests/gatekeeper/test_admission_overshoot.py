"""That a budget is never overshot, and used to the end. Full size: `make faults`."""

import pytest

from tests.gatekeeper.money import Bank
from tests.gatekeeper.serving import Gatekeeper
from tests.gatekeeper.spending import spend_all

# What a turn costs on average: 1,000 tokens at half a micro-dollar, and what is unused.
TURN = 400


@pytest.mark.parametrize("seed", range(5))
async def test_a_budget_for_a_quarter_of_the_turns_is_spent_and_not_overshot(
    gatekeeper: Gatekeeper, bank: Bank, seed: int
):
    tenant = await gatekeeper.create_tenant(slots=10_000)
    limit = 100 * TURN // 4 * 2
    await bank.budget(tenant, limit)

    await spend_all(tenant, seed, turns=200, at_once=100)

    spent = await bank.spent(tenant)
    assert spent <= limit
    assert spent >= limit * 0.95
    assert spent == sum(row["cost_micro_usd"] for row in await bank.billed(tenant))
