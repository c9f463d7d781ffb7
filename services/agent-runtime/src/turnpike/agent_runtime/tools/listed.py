"""Tools as the registry lists them."""

from typing import Any

import orjson

from turnpike.agent_runtime.tools.toolset import Tool
from turnpike.api.tool_registry.v1 import tool_pb2


def to_tool(listed: tool_pb2.Tool) -> Tool:
    """Returns a tool by its message."""
    return Tool(
        name=listed.name,
        description=listed.description,
        input_schema=listed.input_schema,
        digest=listed.digest,
        alias=listed.alias,
        connector=listed.connector_identity,
        read_only=listed.annotations_trusted and _says_read_only(listed.annotations),
    )


def _says_read_only(annotations: str) -> bool:
    # The registry keeps what a server said, whatever that was.
    said: Any = orjson.loads(annotations or "{}")
    return isinstance(said, dict) and said.get("readOnlyHint") is True
