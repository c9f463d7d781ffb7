"""What the stateless protocol wants said in every request: in its `_meta`, and in headers."""

from collections.abc import Mapping
from typing import Any

import mcp_types
from mcp.shared.inbound import (
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)

CLIENT = mcp_types.Implementation(name="turnpike", version="1")
TASKS = "io.modelcontextprotocol/tasks"
"""The extension by which servers run calls as tasks."""


def envelope_of(version: str) -> dict[str, Any]:
    """Returns what the `_meta` of a request says."""
    return {
        mcp_types.PROTOCOL_VERSION_META_KEY: version,
        mcp_types.CLIENT_INFO_META_KEY: dict(_CLIENT_INFO),
        mcp_types.CLIENT_CAPABILITIES_META_KEY: {
            "elicitation": {"form": {}, "url": {}},
            "extensions": {TASKS: {}},
        },
    }


def headers_of(
    name: str, arguments: Mapping[str, Any], input_schema: Mapping[str, Any]
) -> dict[str, str]:
    """Returns the headers of a call of a tool, with the arguments that its schema wants there."""
    shown = mcp_param_headers(x_mcp_header_map(input_schema), arguments)
    return {**name_header(name), **shown}


def name_header(name: str) -> dict[str, str]:
    """Returns the header that names what a request is about."""
    return {"mcp-name": encode_header_value(name)}


def can_carry(input_schema: object) -> bool:
    """Whether the headers that a schema names can be sent."""
    return find_invalid_x_mcp_header(input_schema) is None


_CLIENT_INFO = CLIENT.model_dump(exclude_none=True)
