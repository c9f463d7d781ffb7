"""What commits hand to SQL as JSON."""

import orjson

from turnpike.agent_runtime.turns.model import Call, Rate, Spend


def asked(calls: list[Call]) -> str:
    """Returns the calls that a step asks for."""
    return orjson.dumps(
        [
            {
                "ordinal": call.ordinal,
                "call_id": call.call_id,
                "provider_id": call.provider_id,
                "name": call.name,
                "arguments": call.arguments,
                "definition_digest": call.definition_digest,
            }
            for call in calls
        ]
    ).decode()


def results(calls: list[Call]) -> str:
    """Returns how those of a step's calls ended that have."""
    return orjson.dumps(
        [
            {
                "ordinal": call.ordinal,
                "outcome": call.outcome,
                "result": call.result,
                "structured": call.structured,
                "judged": call.judged,
            }
            for call in calls
            if call.outcome
        ]
    ).decode()


def rates(granted: dict[str, Rate]) -> str:
    """Returns what models are charged at, by name."""
    return orjson.dumps(granted).decode()


def owed(spends: list[Spend]) -> str:
    """Returns what was used, as the outbox keeps it and `settling` reads it."""
    return orjson.dumps(
        [
            # Said where it is so alone: whoever settles may not know it yet.
            ({"own_key": True} if spend.own_key else {})
            | {
                "step": spend.step,
                "call": spend.call,
                "attempt": spend.attempt,
                "kind": spend.kind,
                "model": spend.model,
                "input_tokens": spend.usage.input_tokens,
                "cached_tokens": spend.usage.cached_tokens,
                "cache_write_tokens": spend.usage.cache_write_tokens,
                "output_tokens": spend.usage.output_tokens,
                "reasoning_tokens": spend.usage.reasoning_tokens,
                "estimated": spend.estimated,
            }
            for spend in spends
        ]
    ).decode()
