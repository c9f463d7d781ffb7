"""Writing replies, and saying in the OpenAPI document which ones there are."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any, Protocol

from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel
from starlette.responses import Response

from turnpike.gateway.documents import rfc3339
from turnpike.gateway.problems import CONTENT_TYPE
from turnpike.gateway.routes.parameters import Write

# Change of agent_runtime.v1 and of tool_registry.v1 number alike.
RESULTS = {1: "created", 2: "changed", 3: "unchanged"}

# What any request with a credential may be answered.
ALWAYS = (400, 401, 403, 429, 500, 503, 504)


FRAME: dict[str, Any] = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in ("id", "event", "data")},
}
"""The schema of a server-sent event."""


def reply(
    model: BaseModel, status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns a model as a response."""
    return raw_reply(model.model_dump_json().encode(), status, headers)


def raw_reply(body: bytes, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Returns JSON as a response."""
    return Response(body, status, headers, media_type="application/json")


class Tagged(Protocol):
    """A reply whose versions have tags."""

    etag: str

    def model_dump_json(self) -> str:
        """Returns it as JSON."""
        ...


class Named(Tagged, Protocol):
    """One that its name tells from others."""

    name: str


def tagged(model: Tagged, status: int = 200, headers: Mapping[str, str] = {}) -> Response:
    """Returns what there is, with its tag."""
    tag = {"etag": f'"{model.etag}"'}
    return raw_reply(model.model_dump_json().encode(), status, {**tag, **headers})


def changed(model: Tagged, change: int, write: Write) -> Response:
    """Returns what a PUT made, and what it did to make it so."""
    result = RESULTS.get(change, "changed")
    status = 201 if result == "created" and not write.validate_only else 200
    return tagged(model, status, {"x-turnpike-result": result})


def created(model: Named, path: str, *, validate_only: bool) -> Response:
    """Returns what a POST made below a path."""
    headers = {"x-turnpike-result": "created"}
    if validate_only:
        return tagged(model, 200, headers)
    return tagged(model, 201, headers | {"location": f"{path}/{model.name}"})


def time_of(message: Any, field: str) -> str | None:
    """Returns a time of a message, or None where it has none."""
    if not message.HasField(field):
        return None
    time: Timestamp = getattr(message, field)
    return rfc3339(time)


def problems(*statuses: int, always: Iterable[int] = ALWAYS) -> dict[int | str, dict[str, Any]]:
    """Returns the documentation of the problems that a route may answer."""
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status: _refusal(status, content) for status in sorted({*statuses, *always})}


def openai_problems(*statuses: int, error: str = "OpenAiError") -> dict[int | str, dict[str, Any]]:
    """Returns the documentation of the errors that a route in another vendor's form may answer."""
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{error}"}}}
    return {status: _refusal(status, content) for status in sorted({*statuses, *ALWAYS})}


def _refusal(status: int, content: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "description": HTTPStatus(status).phrase,
        "content": content,
    }
    if headers := _REFUSAL_HEADERS.get(status):
        described["headers"] = headers
    return described


def header(description: str) -> dict[str, Any]:
    """Returns the documentation of a header."""
    return {"description": description, "schema": {"type": "string"}}


ETAG = {"ETag": header("Changes with each change; give it back in `If-Match`.")}
RESULT = {"X-Turnpike-Result": header("`created`, `changed` or `unchanged`.")}

_RETRY_AFTER = {"Retry-After": header("In how many seconds it may be let in.")}
_REFUSAL_HEADERS = {
    402: {"Retry-After": header("In how many seconds the budget begins anew, where it does.")},
    429: {
        **_RETRY_AFTER,
        "RateLimit": header("Which rate is used up: its name, what remains, seconds to wait."),
        "RateLimit-Policy": header("That rate: its name, how many in so many seconds, its burst."),
        "RateLimit-Limit": header("How many a minute."),
        "RateLimit-Remaining": header("How many are left."),
        "RateLimit-Reset": header("Seconds to wait."),
    },
    503: _RETRY_AFTER,
}
