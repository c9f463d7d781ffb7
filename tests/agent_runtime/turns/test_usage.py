"""Row L11: what providers report, in their own words, is in the ledger once and at its price."""

from collections.abc import AsyncGenerator

import pytest

from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.books import Books, opened
from tests.agent_runtime.turns.world import World
from tests.doubles.recorded_provider import RecordedProvider, recorded_provider
from turnpike.api.agent_runtime.v1.model_service_pb2 import Prices

pytestmark = pytest.mark.usefixtures("litellm")

# Millionths of a dollar for a million tokens, all different.
INPUT, OUTPUT, CACHED, WRITTEN = 3_000_000, 15_000_000, 300_000, 3_750_000


@pytest.fixture
async def books(world: World) -> AsyncGenerator[Books]:
    """Gatekeeper's books."""
    async with opened(world) as books:
        yield books


@pytest.fixture
async def played() -> AsyncGenerator[RecordedProvider]:
    """A provider that plays its recordings."""
    async with recorded_provider() as provider:
        yield provider


@pytest.mark.parametrize(
    ("provider", "recording", "used"),
    [
        # Prompt, cached, written, answer, of it reasoning.
        ("openai", "openai_answer.sse", (2600, 2432, 0, 9, 0)),
        ("openai", "azure_answer.sse", (2600, 2432, 0, 73, 64)),
        ("openai", "deepseek_answer.sse", (2419, 2048, 0, 187, 128)),
        ("openai", "openrouter_calls.sse", (2419, 2048, 350, 187, 128)),
        ("anthropic", "anthropic_answer.sse", (2712, 2700, 0, 9, 0)),
        ("anthropic", "anthropic_calls.sse", (2419, 2048, 350, 187, 25)),
        ("gemini", "gemini_answer.sse", (2600, 0, 0, 5, 0)),
        ("gemini", "gemini_calls.sse", (2419, 2048, 0, 130, 110)),
        ("bedrock", "bedrock_answer.jsonl", (2712, 2700, 0, 9, 0)),
        ("bedrock", "bedrock_calls.jsonl", (2419, 2048, 350, 187, 25)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_l11_what_is_reported_is_in_the_ledger_once_and_at_its_price(
    tenant: Tenant,
    books: Books,
    played: RecordedProvider,
    provider: str,
    recording: str,
    used: tuple[int, int, int, int, int],
):
    played.play(recording, _ENDING[provider])
    prices = Prices(input=INPUT, output=OUTPUT, cached=CACHED, cache_write=WRITTEN)
    await tenant.model(
        "m", provider=provider, model=_MODEL, base_url=played.url, api_key="k", prices=prices
    )
    await tenant.agent(model="m")

    turn = await tenant.ended((await tenant.start("weather?")).id)
    await books.settled(tenant, turn.id)

    row = (await books.rows(turn.id))[0]
    prompt, cached, written, answer, reasoning = used
    assert (
        row["input_tokens"],
        row["cached_tokens"],
        row["cache_write_tokens"],
        row["output_tokens"],
        row["reasoning_tokens"],
        row["estimated"],
    ) == (prompt, cached, written, answer, reasoning, False)
    million_fold = (
        (prompt - cached - written) * INPUT + cached * CACHED + written * WRITTEN + answer * OUTPUT
    )
    assert row["cost_micro_usd"] == -(-million_fold // 1_000_000)


# The library asks Bedrock in another way where it knows no vendor by the name.
_MODEL = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
_ENDING = {
    "openai": "openai_answer.sse",
    "anthropic": "anthropic_answer.sse",
    "gemini": "gemini_answer.sse",
    "bedrock": "bedrock_answer.jsonl",
}
