"""What commits hand to SQL as JSON, and what the outbox gives back."""

from collections.abc import Iterable
from dataclasses import fields
from datetime import timedelta

import asyncpg
import orjson

from turnpike.agent_runtime.turns.model import Call, Owed, Rate, Spend

HOLD = timedelta(seconds=15)
"""How long what is owed is its claimer's: whoever dies with it leaves it to the next one, and
settling twice is settling once."""


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


def owed_in(rows: Iterable[asyncpg.Record]) -> list[Owed]:
    """Returns what rows of the outbox say."""
    return [
        Owed(
            **{field.name: row[field.name] for field in fields(Owed) if field.name != "entries"},
            entries=orjson.loads(row["entries"]),
        )
        for row in rows
    ]
