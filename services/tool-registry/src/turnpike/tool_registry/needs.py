"""What a call wants from a person before it can go on."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast

import orjson

from turnpike.tool_registry.model import Call

_MOST_TEXT = 4000
_MOST_URL = 2000
_MOST_BYTES = 64 * 1024
_MOST_NEEDS = 100
_MOST_KEY = 200


class NeedKind(StrEnum):
    """What sort of thing is wanted."""

    ELICITATION = "ELICITATION"
    INPUT_REQUIRED = "INPUT_REQUIRED"
    SIGN_IN = "SIGN_IN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """One thing that is wanted."""

    kind: NeedKind
    key: str
    message: str
    connector: str
    schema: str = ""
    """The JSON Schema of an answer's content; empty when it has none."""

    url: str = ""
    """Where the person is to go."""

    request: str = ""
    """The server's request as it sent it."""


def needs_of(call: Call) -> tuple[Need, ...]:
    """Returns what a call waits for; nothing unless it failed for want of that."""
    connector = call.tool.partition("/")[0]
    if call.reason in ("AUTH_REQUIRED", "CREDENTIAL_MISSING"):
        message = f"sign in to {connector}"
        return (
            Need(
                kind=NeedKind.SIGN_IN,
                key="sign-in",
                message=message,
                connector=connector,
                url=f"/api/v1/connectors/{connector}:login",
            ),
        )
    if call.reason != "INPUT_REQUIRED":
        return ()
    wanted = _object(orjson.loads(call.structured)) if call.structured else {}
    asked = _object(wanted.get("inputRequests"))
    needs = [
        _need(key, _object(request), connector)
        for key, request in asked.items()
        if 0 < len(key) <= _MOST_KEY
    ]
    return tuple(needs[:_MOST_NEEDS]) or (_wordless(call, wanted, connector),)


def _need(key: str, request: Mapping[str, Any], connector: str) -> Need:
    params = _object(request.get("params"))
    asks = request.get("method") == "elicitation/create"
    schema = _object(params.get("requestedSchema"))
    return Need(
        kind=NeedKind.ELICITATION if asks else NeedKind.INPUT_REQUIRED,
        key=key,
        message=_text(params.get("message"), _MOST_TEXT),
        connector=connector,
        schema=_json(schema) if asks and schema else "",
        url=_url(params.get("url")),
        request=_json(request),
    )


def _wordless(call: Call, wanted: Mapping[str, Any], connector: str) -> Need:
    blocks = orjson.loads(call.result) if call.result else []
    said = " ".join(_text(_object(block).get("text"), _MOST_TEXT) for block in blocks)
    return Need(
        kind=NeedKind.INPUT_REQUIRED,
        key="input",
        message=said[:_MOST_TEXT],
        connector=connector,
        request=_json(wanted) if wanted else "",
    )


def _url(value: object) -> str:
    # A person is to follow it: nothing but a page, and whole or not at all.
    shown = value if isinstance(value, str) else ""
    usable = shown.startswith(("https://", "http://")) and len(shown) <= _MOST_URL
    return shown if usable and shown.isprintable() else ""


def _text(value: object, most: int) -> str:
    return value[:most] if isinstance(value, str) else ""


def _json(value: object) -> str:
    encoded = orjson.dumps(value)
    return encoded.decode() if len(encoded) <= _MOST_BYTES else ""


def _object(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, dict) else {}
