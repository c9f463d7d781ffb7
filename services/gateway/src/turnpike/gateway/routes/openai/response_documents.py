"""Responses as documents."""

from typing import Any
from uuid import UUID

from turnpike.api.agent_runtime.v1.turn_pb2 import Turn
from turnpike.gateway.forms import Spent
from turnpike.gateway.routes.openai.response_ids import CONVERSATION, response_id


def response_document(turn: Turn, model: str, since: str = "") -> dict[str, Any]:
    """Returns a turn, or what comes of it after an approval, with nothing said yet."""
    return new_document(
        response_id(turn.id, since),
        model,
        turn.create_time.seconds,
        background=True,
        metadata=dict(turn.metadata),
        conversation={"id": f"{CONVERSATION}{UUID(turn.thread).hex}"},
    )


def new_document(identity: str, model: str, created: int, **more: Any) -> dict[str, Any]:
    """Returns a response of which nothing was said yet."""
    return {
        "id": identity,
        "object": "response",
        "created_at": created,
        "status": "in_progress",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "model": model,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": None,
        **more,
    }


def usage_document(spent: Spent) -> dict[str, Any]:
    """Returns tokens as responses tell them."""
    return {
        "input_tokens": spent.input_tokens,
        "input_tokens_details": {
            "cached_tokens": spent.cached_tokens,
            "cache_write_tokens": spent.cache_write_tokens,
        },
        "output_tokens": spent.output_tokens,
        "output_tokens_details": {"reasoning_tokens": spent.reasoning_tokens},
        "total_tokens": spent.input_tokens + spent.output_tokens,
    }
