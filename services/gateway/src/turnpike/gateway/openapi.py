"""The OpenAPI document: what FastAPI knows of the routes, and what it does not."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from turnpike.gateway.authentication import SESSION_COOKIE
from turnpike.gateway.foreign_paths import ERRORS, REQUESTS, foreign_paths
from turnpike.gateway.routes.replies import FRAME, header, problems
from turnpike.gateway.routes.shapes import Problem
from turnpike.gateway.routes.starts import NewTurn
from turnpike.gateway.routes.turns import AdminTurn, Turn

_REFERENCE = "#/components/schemas/{model}"
_DESCRIPTION = "Runs LLM agents: turns that survive, seen whole, and what they are made of."
_OPEN = frozenset({("/api/v1/session", "post"), ("/api/v1/session", "delete")})
_BEGUN = (402, 409, 413, 415, 422)

_STREAM: dict[str, Any] = {
    "description": "The events, each as a frame: `id`, `event`, and JSON as `data`.",
    "content": {"text/event-stream": {"schema": FRAME}},
}
_INBOX: dict[str, Any] = {
    "description": 'Frames of the event `inbox`: `{"type", "pending", "mine", "newest"}` as'
    " `data`, all that the caller may see, how many of them they may decide, and the last one's"
    " id.",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}
_LOCATION = {"Location": header("Where the turn is.")}


def install(app: FastAPI) -> None:
    """Makes the application describe itself."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app)
        return app.openapi_schema

    app.openapi = openapi  # pyright: ignore[reportAttributeAccessIssue] # as FastAPI documents


def _document(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title, version=app.version, description=_DESCRIPTION, routes=app.routes
    )
    components: dict[str, Any] = document.setdefault("components", {})
    schemas: dict[str, Any] = components.setdefault("schemas", {})
    for model in (Problem, *ERRORS, NewTurn, Turn, AdminTurn):
        _add_model(schemas, model)
    for model in REQUESTS:
        _add_model(schemas, model, "validation")
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    components["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    }
    paths: dict[str, Any] = document["paths"]
    _add_streams(paths)
    paths |= foreign_paths()
    for path, item in paths.items():
        for method, operation in item.items():
            _complete(operation, needs_credential=(path, method) not in _OPEN)
    return document


def _complete(operation: dict[str, Any], *, needs_credential: bool) -> None:
    validation = operation["responses"].get("422", {})
    if "application/json" in validation.get("content", {}):
        # FastAPI's own form of 400, which this edge never answers.
        del operation["responses"]["422"]
    operation["security"] = [{"bearer": []}, {"session": []}] if needs_credential else []


def _add_model(
    schemas: dict[str, Any], model: type[BaseModel], mode: JsonSchemaMode | None = None
) -> None:
    if mode is None:
        asked = "Request" in [base.__name__ for base in model.__mro__]
        mode = "validation" if asked else "serialization"
    schema = model.model_json_schema(ref_template=_REFERENCE, mode=mode)
    for name, definition in schema.pop("$defs", {}).items():
        schemas.setdefault(name, definition)
    schemas.setdefault(model.__name__, schema)


def _add_streams(paths: dict[str, Any]) -> None:
    paths["/api/v1/turns:run"] = {
        "post": _operation(
            "Starts a turn in a new thread, and streams it from event 1.",
            "run_turn",
            [_IDEMPOTENCY_KEY],
            {200: _STREAM | {"headers": _LOCATION}, **problems(404, *_BEGUN)},
            starts=True,
        )
    }
    paths["/api/v1/threads/{thread}/turns"]["post"] = _operation(
        "Starts a turn in a thread: 201 and the turn, or to who accepts events its stream.",
        "start_turn",
        [_path_parameter("thread"), _IDEMPOTENCY_KEY],
        {
            200: {
                "description": "The turn of an earlier request like this, or the stream.",
                "headers": _LOCATION,
                "content": {**_STREAM["content"], "application/json": {"schema": _TURN}},
            },
            201: {
                "description": "The turn.",
                "headers": _LOCATION,
                "content": {"application/json": {"schema": _TURN}},
            },
            **problems(404, *_BEGUN),
        },
        starts=True,
    )
    paths["/api/v1/files"]["post"] = _upload()
    paths["/api/v1/collections/{collection}/documents/{path}:original"]["put"] = _put_original()
    paths["/api/v1/turns/{turn}/events"] = {
        "get": _operation(
            "Streams a turn's events after a number, until its terminal event.",
            "watch_turn",
            [_path_parameter("turn"), _LAST_EVENT_ID, _AFTER, _TOKEN],
            {
                200: _STREAM,
                204: {"description": "The turn has ended, and nothing is left."},
                **problems(404, 410),
            },
        )
    }
    paths["/api/v1/approvals:watch"] = {
        "get": _operation(
            "Streams how many approvals wait for the caller: at once, and after each change.",
            "watch_approvals",
            [],
            {200: _INBOX, **problems()},
        )
    }


def _upload() -> dict[str, Any]:
    operation = _operation(
        "Keeps a file: the part `file` of a form, or the body itself.",
        "upload_file",
        [_NAME],
        {
            201: {
                "description": "The file.",
                "headers": {"Location": header("Where the file is.")},
                "content": {
                    "application/json": {"schema": {"$ref": _REFERENCE.format(model="File")}}
                },
            },
            **problems(413),
        },
    )
    binary = {"type": "string", "format": "binary"}
    form = {"type": "object", "properties": {"file": binary}, "required": ["file"]}
    operation["requestBody"] = {
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form},
            "application/octet-stream": {"schema": binary},
        },
    }
    return operation


def _put_original() -> dict[str, Any]:
    operation = _operation(
        "Writes a document whose bytes are the body, which may be larger than a JSON body.",
        "put_original",
        [
            _path_parameter("collection"),
            _path_parameter("path"),
            _IDEMPOTENCY_KEY | {"description": "The same key and payload make the change once."},
            _query("media_type", "What it is, if not as `Content-Type` or the path's ending says."),
            _query("title", "Its title; else its first heading, or its file name."),
            _query("metadata", "A JSON object of texts."),
            _query("sha256", "Fail with 400 unless its bytes have this digest, in hexadecimals."),
            _query("expected_revision", "Fail with 409 unless this is its revision; 0: none."),
        ],
        {
            200: {
                "description": "The document, and what was done.",
                "content": {
                    "application/json": {"schema": {"$ref": _REFERENCE.format(model="Written")}}
                },
            },
            **problems(404, 409, 413, 422),
        },
    )
    binary = {"schema": {"type": "string", "format": "binary"}}
    operation["requestBody"] = {"required": True, "content": {"*/*": binary}}
    return operation


def _query(name: str, description: str) -> dict[str, Any]:
    return {
        "name": name,
        "in": "query",
        "required": False,
        "description": description,
        "schema": {"type": "string"},
    }


def _operation(
    summary: str,
    name: str,
    parameters: list[dict[str, Any]],
    responses: Mapping[int | str, Any],
    *,
    starts: bool = False,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "operationId": name,
        "parameters": parameters,
        "responses": {str(status): response for status, response in responses.items()},
    }
    if starts:
        schema = {"$ref": _REFERENCE.format(model="NewTurn")}
        operation["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schema}},
        }
    return operation


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


_TURN = {
    "anyOf": [{"$ref": _REFERENCE.format(model=name)} for name in ("AdminTurn", "Turn")],
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "The same key and payload again give the same turn.",
    "schema": {"type": "string", "maxLength": 255},
}
_LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "required": False,
    "description": "The number of the last event seen; goes before `after`, unless it is empty.",
    "schema": {"type": "string", "pattern": "^[0-9]{0,100}$"},
}
_NAME = {
    "name": "name",
    "in": "query",
    "required": False,
    "description": "What to call a body; a form names its own.",
    "schema": {"type": "string", "maxLength": 255},
}
_AFTER = {
    "name": "after",
    "in": "query",
    "required": False,
    "description": "The number of the last event seen.",
    "schema": {"type": "integer", "minimum": 0},
}
_TOKEN = {
    "name": "token",
    "in": "query",
    "required": False,
    "description": "A token for this turn's events, for clients that cannot set a header.",
    "schema": {"type": "string"},
}
