"""What a call used, from whatever shape a provider reports it in.

Everywhere: prompt = uncached + cached + written, and nothing is negative.
"""

from collections.abc import Mapping
from typing import Any

from turnpike.agent_runtime.models.prompt import UsagePiece

_CACHED = ("cached_tokens", "cached_content_token_count")
_BESIDE = ("prompt_cache_hit_tokens", "cache_read_input_tokens")
_BESIDE_WRITTEN = "cache_creation_input_tokens"
_WRITTEN = ("cache_write_tokens", "cache_creation_tokens", "cache_creation_input_tokens")


def usage_of(usage: Mapping[str, Any]) -> UsagePiece:
    """Returns the usage in a report on the OpenAI wire, of OpenAI or whoever speaks it too.

    The prompt holds what was read from a cache and written to it. DeepSeek reports hits and
    misses beside it; some proxies give Anthropic's figures as they are.
    """
    prompt, completion = _details(usage, "prompt"), _details(usage, "completion")
    cached = _first(prompt, _CACHED) or _first(usage, _BESIDE)
    written = _first(prompt, _WRITTEN) or _number(usage, _BESIDE_WRITTEN)
    total = _number(usage, "prompt_tokens")
    if not total:
        # Anthropic's own: the input is what was neither read nor written.
        total = _number(usage, "input_tokens")
        total += cached + written if _BESIDE_WRITTEN in usage else 0
    return normal(
        prompt=max(total, cached + _number(usage, "prompt_cache_miss_tokens")),
        output=_number(usage, "completion_tokens") or _number(usage, "output_tokens"),
        cached=cached,
        written=written,
        reasoning=_number(completion, "reasoning_tokens"),
    )


def normal(*, prompt: int, output: int, cached: int, written: int, reasoning: int) -> UsagePiece:
    """Returns figures that add up: a part is never more than the whole."""
    prompt, output = max(prompt, 0), max(output, 0)
    cached = min(max(cached, 0), prompt)
    return UsagePiece(
        input_tokens=prompt,
        output_tokens=output,
        cached_tokens=cached,
        cache_write_tokens=min(max(written, 0), prompt - cached),
        reasoning_tokens=min(max(reasoning, 0), output),
    )


def _details(usage: Mapping[str, Any], side: str) -> Mapping[str, Any]:
    other = {"prompt": "input", "completion": "output"}[side]
    for name in (f"{side}_tokens_details", f"{other}_tokens_details"):
        if isinstance(found := usage.get(name), Mapping):
            return found
    return {}


def _first(details: Mapping[str, Any], names: tuple[str, ...]) -> int:
    return next((found for name in names if (found := _number(details, name))), 0)


def _number(usage: Mapping[str, Any], name: str) -> int:
    value = usage.get(name)
    if isinstance(value, str) and value.isdecimal():
        return int(value)
    return int(value) if isinstance(value, int | float) else 0
