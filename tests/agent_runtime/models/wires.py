"""What each way out is to do for each provider: the cases of the conformance suite."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from turnpike.agent_runtime.models.prompt import UsagePiece

Body = Mapping[str, Any]

THOUGHT = "I need both cities' weather: two calls — “Paris” & Zürich,\n then I compare. 🌦"


@dataclass(frozen=True, kw_only=True)
class Wire:
    """One provider on one way."""

    name: str
    provider: str
    model: str
    calls: str
    """The recording of an answer that asks for two calls."""

    answer: str
    cut: str
    """The beginning of one that breaks off."""

    usage: UsagePiece
    """What the first one used."""

    thought: str
    """The reasoning in it that is told."""

    signed: Callable[[Body], list[str]]
    """Reads from a request what is signed of the assistant's message, in order."""

    path: str = ""
    """What the URL of the model has after the host."""


def openai_assistant(body: Body) -> Any:
    return next(each for each in body["messages"] if each["role"] == "assistant")


def _none(_body: Body) -> list[str]:
    return []


def _details(body: Body) -> list[str]:
    details = openai_assistant(body).get("reasoning_details", [])
    return [each.get("signature") or each["data"] for each in details]


def _anthropic(body: Body) -> list[str]:
    blocks = openai_assistant(body)["content"]
    signed = [each for each in blocks if each["type"] in ("thinking", "redacted_thinking")]
    return [each.get("signature") or each["data"] for each in signed]


def _gemini(body: Body) -> list[str]:
    parts = next(each["parts"] for each in body["contents"] if each["role"] == "model")
    return [each["thoughtSignature"] for each in parts if "thoughtSignature" in each]


def _bedrock(body: Body) -> list[str]:
    blocks = [each.get("reasoningContent") for each in openai_assistant(body)["content"]]
    return [
        each["reasoningText"]["signature"] if "reasoningText" in each else each["redactedContent"]
        for each in blocks
        if each
    ]


def _used(prompt: int, output: int, cached: int, written: int, reasoning: int) -> UsagePiece:
    return UsagePiece(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=written,
        reasoning_tokens=reasoning,
    )


_OPENAI = _used(2419, 187, 2048, 0, 128)

WIRES = (
    Wire(
        name="native-openai",
        provider="openai",
        model="gpt-5.1",
        calls="openai_calls.sse",
        answer="openai_answer.sse",
        cut="openai_calls.sse@9",
        usage=_OPENAI,
        thought="",
        signed=_none,
    ),
    Wire(
        name="native-openrouter",
        provider="openai",
        model="anthropic/claude-sonnet-4.5",
        calls="openrouter_calls.sse",
        answer="openai_answer.sse",
        cut="openrouter_calls.sse@9",
        usage=_used(2419, 187, 2048, 350, 128),
        thought=THOUGHT,
        signed=_details,
    ),
    Wire(
        name="litellm-openai",
        provider="hosted_vllm",
        model="gpt-oss",
        calls="openai_calls.sse",
        answer="openai_answer.sse",
        cut="openai_calls.sse@9",
        usage=_OPENAI,
        thought="",
        signed=_none,
    ),
    Wire(
        name="litellm-anthropic",
        provider="anthropic",
        model="claude-sonnet-4-5",
        calls="anthropic_calls.sse",
        answer="anthropic_answer.sse",
        cut="anthropic_calls.sse@42",
        usage=_used(2419, 187, 2048, 350, 25),
        thought=THOUGHT,
        signed=_anthropic,
    ),
    Wire(
        name="litellm-gemini",
        provider="gemini",
        model="gemini-3-pro-preview",
        calls="gemini_calls.sse",
        answer="gemini_answer.sse",
        cut="gemini_calls.sse@8",
        usage=_used(2419, 130, 2048, 0, 110),
        thought=THOUGHT,
        signed=_gemini,
    ),
    Wire(
        name="litellm-bedrock",
        provider="bedrock",
        model="us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        calls="bedrock_calls.jsonl",
        answer="bedrock_answer.jsonl",
        cut="bedrock_calls.jsonl@9",
        usage=_used(2419, 187, 2048, 350, 25),
        thought=THOUGHT,
        signed=_bedrock,
    ),
)


def text_of(body: Body) -> str:
    """Returns a request's body as one text, to look for words in it."""
    return json.dumps(body, ensure_ascii=False)
