"""The published run: seven turns with tools, against a server that caches prefixes."""

import orjson

from tests.agent_runtime.prefix.conversing import converse, say
from tests.agent_runtime.prefix.ledgers import Ledgers, begins_with, is_one_prefix
from tests.agent_runtime.serving import Tenant
from tests.agent_runtime.turns.tools import Tools
from tests.doubles.model_prompt import BLOCK, TOKENS_PER_BLOCK, prompt_bytes
from tests.doubles.model_server import ModelServer
from turnpike.agent_runtime.models.prompt import Message
from turnpike.agent_runtime.prefix.elements import message_element

CONTEXTS = (6562, 13961, 20495, 22479, 23186, 24254, 24956)
"""Tokens of each turn's first request, as published; 64.0 % of turns 2 to 7 were reused there."""

BYTES_PER_TOKEN = BLOCK // TOKENS_PER_BLOCK
ANSWER = "".join(f"~{word} " for word in range(5))
ARGUMENTS = '{"b" :1.0,  "a":"\\u00e9", "n":12345678901234567890}'


def text_for(provider: ModelServer, context: int) -> str:
    """Returns an input that makes the next request so many tokens long."""
    if not provider.sent:
        return "x" * (context * BYTES_PER_TOKEN)
    said = prompt_bytes(provider.sent[-1])
    reply = message_element(Message(role="assistant", text=ANSWER))
    around = message_element(Message(role="user", text=""))
    return "x" * (context * BYTES_PER_TOKEN - len(said) - len(reply) - len(around) - 2)


async def test_row_55_the_published_run_reuses_what_can_be_reused(
    tenant: Tenant, tools: Tools, provider: ModelServer, provider_url: str, ledgers: Ledgers
):
    model = f"n=5+tool=effects__echo+calls=2+pieces=3+arg={ARGUMENTS}"
    await tenant.model(provider="openai", base_url=provider_url, model=model)
    await tools.offer(tenant)
    thread, firsts = "", list[int]()

    for context in CONTEXTS:
        firsts.append(len(provider.sent))
        thread = (await say(tenant, text_for(provider, context), thread)).thread

    sent, prompts = list(provider.sent), list(provider.prompts)
    assert len(sent) == 2 * len(CONTEXTS)
    assert is_one_prefix(sent)
    # The arguments went back as they had come, each spelled as it was.
    spelled = orjson.dumps(ARGUMENTS)
    assert sent[-1].count(b'"arguments":' + spelled) == 2 * len(CONTEXTS)
    whole = [prompts[first].tokens for first in firsts[1:]]
    assert all(
        abs(prompts[first].tokens - context) <= 2
        for first, context in zip(firsts[1:], CONTEXTS[1:], strict=True)
    )
    reused = sum(prompts[first].cached for first in firsts[1:])
    reusable = sum(prompts[first - 1].tokens for first in firsts[1:])
    assert reused / sum(whole) >= 0.85
    assert reused / reusable >= 0.97
    row = await ledgers.row(thread)
    assert row["epoch"] == 1
    assert row["reported_tokens"] == sum(prompt.cached for prompt in prompts)
    assert row["reported_tokens"] >= 0.99 * row["predicted_tokens"]
    assert len(await ledgers.elements(thread)) == 1 + 7 * 5


async def test_row_47_each_of_fifty_turns_finds_the_last_one_committed(
    tenant: Tenant, provider: ModelServer, provider_url: str, ledgers: Ledgers
):
    await tenant.model(provider="openai", base_url=provider_url, model="n=2")
    await tenant.agent(instructions="Be brief.")

    thread = await converse(tenant, 50, lambda number: f"turn {number}")

    assert len(provider.sent) == 50
    assert is_one_prefix(provider.sent)
    row = await ledgers.row(thread)
    assert (row["epoch"], row["revision"], row["last_outcome"]) == (1, 50, "COMMITTED")
    assert len(await ledgers.elements(thread)) == 2 + 50 * 2


async def test_a_server_that_caches_bytes_tells_a_prefix_from_another_spelling():
    assert begins_with(b'{"messages":[1,2]}', b'{"messages":[1]}')
    assert not begins_with(b'{"messages":[ 1,2]}', b'{"messages":[1]}')
