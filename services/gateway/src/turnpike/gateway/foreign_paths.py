"""The OpenAPI document's paths of other vendors' forms.

What these answer is the vendors' to describe; here is what may be asked, and where it differs.
"""

from typing import Any

from pydantic import BaseModel

from turnpike.gateway.routes.anthropic.message_request import MessageRequest
from turnpike.gateway.routes.openai.chat_request import ChatRequest
from turnpike.gateway.routes.openai.response_request import ResponseRequest
from turnpike.gateway.routes.replies import FRAME, openai_problems
from turnpike.gateway.routes.shapes import AnthropicError, OpenAiError

REQUESTS: tuple[type[BaseModel], ...] = (ChatRequest, ResponseRequest, MessageRequest)
ERRORS: tuple[type[BaseModel], ...] = (OpenAiError, AnthropicError)

_ASKING = (402, 404, 409, 413, 415, 422, 502)
_OBJECT: dict[str, Any] = {"type": "object"}
_STREAMED: dict[str, Any] = {
    "application/json": {"schema": _OBJECT},
    "text/event-stream": {"schema": FRAME},
}
_WHOLE: dict[str, Any] = {"application/json": {"schema": _OBJECT}}
_SESSION: dict[str, Any] = {
    "name": "x-session-id",
    "in": "header",
    "required": False,
    "description": "The client's own name of its conversation: an agent's thread, or the prefix "
    "ledger of a model's. Many clients' own headers do as well.",
    "schema": {"type": "string", "maxLength": 256},
}
_RESUMING: list[dict[str, Any]] = [
    {
        "name": "stream",
        "in": "query",
        "required": False,
        "description": "`true` streams what comes after `starting_after`.",
        "schema": {"type": "boolean"},
    },
    {
        "name": "starting_after",
        "in": "query",
        "required": False,
        "description": "The `sequence_number` of the last event seen.",
        "schema": {"type": "integer", "minimum": 0, "maximum": 10**17},
    },
]


def foreign_paths() -> dict[str, Any]:
    """Returns the paths that speak OpenAI's forms, and Anthropic's."""
    chat = _asking("Answers a conversation, by an agent (`agent/NAME`) or a model.", ChatRequest)
    response = _asking(
        "Answers by a turn of an agent, to be read again, or by a model, kept nowhere.",
        ResponseRequest,
    )
    message = _asking(
        "Answers a conversation in Anthropic's form.", MessageRequest, error="AnthropicError"
    )
    counted = _asking(
        "Says about how many tokens a prompt has.",
        MessageRequest,
        error="AnthropicError",
        content=_WHOLE,
    )
    return {
        "/v1/models": {"get": _operation("Lists models, and agents as `agent/NAME`.", "models")},
        "/v1/models/{model}": {"get": _named("Returns a model or an agent.", "model")},
        "/v1/chat/completions": {"post": chat | {"operationId": "chat_completion"}},
        "/v1/responses": {"post": response | {"operationId": "create_response"}},
        "/v1/responses/{response}": {
            "get": _named(
                "Returns a response as it stands, or goes on with its stream.",
                "response",
                parameters=_RESUMING,
                content=_STREAMED,
            )
        },
        "/v1/responses/{response}/cancel": {
            "post": _named("Cancels a response's turn.", "response", name="cancel_response")
        },
        "/v1/messages": {"post": message | {"operationId": "create_message"}},
        "/v1/messages/count_tokens": {"post": counted | {"operationId": "count_tokens"}},
    }


def _asking(
    summary: str,
    request: type[BaseModel],
    *,
    error: str = "OpenAiError",
    content: dict[str, Any] = _STREAMED,
) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{request.__name__}"}
    operation = _operation(summary, "", content=content, error=error, statuses=_ASKING)
    operation["parameters"] = [_SESSION]
    operation["requestBody"] = {
        "required": True,
        "content": {"application/json": {"schema": schema}},
    }
    return operation


def _named(
    summary: str,
    noun: str,
    *,
    name: str = "",
    parameters: list[dict[str, Any]] | None = None,
    content: dict[str, Any] = _WHOLE,
) -> dict[str, Any]:
    operation = _operation(summary, name or f"get_{noun}", content=content, statuses=(404,))
    path = {"name": noun, "in": "path", "required": True, "schema": {"type": "string"}}
    operation["parameters"] = [path, *(parameters or [])]
    return operation


def _operation(
    summary: str,
    name: str,
    *,
    content: dict[str, Any] = _WHOLE,
    error: str = "OpenAiError",
    statuses: tuple[int, ...] = (),
) -> dict[str, Any]:
    told = openai_problems(*statuses, error=error)
    responses = {200: {"description": "The answer.", "content": content}, **told}
    return {
        "summary": summary,
        "operationId": name,
        "parameters": [],
        "responses": {str(status): response for status, response in responses.items()},
    }
