"""Row L11: what a call used, from whatever shape a provider reports it in."""

import json
from collections.abc import AsyncGenerator, Mapping
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.doubles.recorded_provider import RecordedProvider, recorded, recorded_provider
from turnpike.agent_runtime.models.litellm_chunks import usage_of as usage_from_litellm
from turnpike.agent_runtime.models.prompt import UsagePiece
from turnpike.agent_runtime.models.usage import usage_of
from turnpike.egress.sessions import open_session


def used(prompt: int, cached: int, written: int, answer: int, reasoning: int) -> UsagePiece:
    return UsagePiece(
        input_tokens=prompt,
        output_tokens=answer,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("openai_reply.json", used(2419, 2048, 0, 73, 64)),
        ("azure_reply.json", used(2600, 2432, 0, 73, 64)),
        # It names hits and misses beside the prompt, and no details.
        ("deepseek_reply.json", used(2419, 2048, 0, 9, 0)),
        # Its input is what was neither read nor written; behind a proxy of OpenAI's form.
        ("anthropic_reply.json", used(2419, 2048, 350, 9, 0)),
    ],
)
def test_l11_a_whole_reply_reports_the_same_kinds(recording: str, expected: UsagePiece):
    assert usage_of(json.loads(recorded(recording))["usage"]) == expected


@pytest.mark.parametrize(
    ("provider", "recording", "expected"),
    [
        ("anthropic", "anthropic_reply.json", used(2419, 2048, 350, 9, 0)),
        ("gemini", "gemini_reply.json", used(2419, 2048, 0, 115, 110)),
        ("bedrock", "bedrock_reply.json", used(2419, 2048, 350, 9, 0)),
    ],
)
async def test_l11_litellm_reports_a_whole_reply_in_the_same_kinds(
    litellm: ModuleType,
    played: RecordedProvider,
    provider: str,
    recording: str,
    expected: UsagePiece,
):
    played.play(recording)
    async with open_session(allow_private=True) as session:
        litellm.session.set(session)
        reply: Any = await litellm.litellm.acompletion(
            custom_llm_provider=provider,
            model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            messages=[{"role": "user", "content": "weather?"}],
            api_key="k",
            api_base=played.url,
        )

    assert usage_from_litellm(reply.usage) == expected


@pytest.fixture
async def played() -> AsyncGenerator[RecordedProvider]:
    """A provider that plays its recordings."""
    async with recorded_provider() as provider:
        yield provider


_COUNTS = st.one_of(
    st.none(), st.integers(-5, 10_000), st.floats(0, 100), st.sampled_from(["7", "x"])
)
_DETAILS = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(
            ["cached_tokens", "cache_write_tokens", "cache_creation_tokens", "reasoning_tokens"]
        ),
        _COUNTS,
    ),
)


@given(
    counts=st.dictionaries(
        st.sampled_from(
            [
                "prompt_tokens",
                "completion_tokens",
                "input_tokens",
                "output_tokens",
                "cache_read_input_tokens",
                "cache_creation_input_tokens",
                "prompt_cache_hit_tokens",
                "prompt_cache_miss_tokens",
            ]
        ),
        _COUNTS,
    ),
    read=_DETAILS,
    made=_DETAILS,
)
def test_l11_whatever_is_reported_adds_up(
    counts: Mapping[str, Any], read: Mapping[str, Any] | None, made: Mapping[str, Any] | None
):
    found = usage_of({**counts, "prompt_tokens_details": read, "completion_tokens_details": made})

    uncached = found.input_tokens - found.cached_tokens - found.cache_write_tokens
    assert min(uncached, found.cached_tokens, found.cache_write_tokens) >= 0
    assert 0 <= found.reasoning_tokens <= found.output_tokens
