"""The tools that a model is given in place of a long list: to search it, and to call from it.

The list itself is never in a prompt, so what is found changes no byte that was sent: a result is
appended like any other, and the tool that it tells of is called through `call_tool`.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from turnpike.agent_runtime.models.prompt import ToolDefinition

CONNECTOR = "turnpike"
SEARCH = f"{CONNECTOR}/search_tools"
CALL = f"{CONNECTOR}/call_tool"

MOST_FOUND = 20
DEFAULT_FOUND = 5

_SEARCH_DEFINITION = ToolDefinition(
    name="turnpike__search_tools",
    description=(
        "Searches the tools that you may call beside those you see; there are too many to show."
        " Say in a few words what the tool should do. Returns names, descriptions and the schemas"
        " of arguments. Call what you found with turnpike__call_tool."
    ),
    input_schema=orjson.dumps(
        {
            "type": "object",
            "properties": {
                "query": {"type": "string", "description": "What the tool should do."},
                "limit": {"type": "integer", "minimum": 1, "maximum": MOST_FOUND},
            },
            "required": ["query"],
            "additionalProperties": False,
        }
    ).decode(),
)
_CALL_DEFINITION = ToolDefinition(
    name="turnpike__call_tool",
    description="Calls a tool that turnpike__search_tools found.",
    input_schema=orjson.dumps(
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "description": "The tool's name, as it was found."},
                "arguments": {"type": "object", "description": "As its schema has them."},
            },
            "required": ["name", "arguments"],
            "additionalProperties": False,
        }
    ).decode(),
)
BUILT_IN = (_SEARCH_DEFINITION, _CALL_DEFINITION)
NAMES = frozenset(each.name for each in BUILT_IN)
SEARCH_NAME, CALL_NAME = (each.name for each in BUILT_IN)
SEARCH_DIGEST = f"sha256:{hashlib.sha256(_SEARCH_DEFINITION.input_schema.encode()).hexdigest()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a model searches for."""

    query: str
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Passed:
    """What a model passes on to a tool that it found."""

    name: str
    arguments: str
    """A JSON document."""


def wanted(arguments: str) -> Wanted | None:
    """Returns what a model searches for; None where it does not say so."""
    said = _object(arguments)
    query, limit = said.get("query"), said.get("limit", DEFAULT_FOUND)
    if not isinstance(query, str) or not query.strip() or not isinstance(limit, int):
        return None
    return Wanted(query=query, limit=min(max(limit, 1), MOST_FOUND))


def passed(arguments: str) -> Passed | None:
    """Returns what a model passes on; None where it does not say to whom."""
    said = _object(arguments)
    name, inner = said.get("name"), said.get("arguments", {})
    if not isinstance(name, str) or not name:
        return None
    # Some models write the inner document as a text.
    document = inner if isinstance(inner, str) else orjson.dumps(inner).decode()
    return Passed(name=name, arguments=document.replace("\0", ""))


def _object(document: str) -> dict[str, Any]:
    try:
        said = orjson.loads(document or "{}")
    except orjson.JSONDecodeError:
        return {}
    return said if isinstance(said, dict) else {}
