"""What a server's JSON-RPC error says about the effect."""

from typing import Any, cast

import mcp_types
from mcp.shared.exceptions import MCPError

from turnpike.tool_registry.links import faults
from turnpike.tool_registry.links.causes import fault_of
from turnpike.tool_registry.model import Fault

# Refusals that the protocol defines as coming before any work.
_REFUSALS = frozenset(
    {
        mcp_types.INVALID_REQUEST,
        mcp_types.METHOD_NOT_FOUND,
        mcp_types.INVALID_PARAMS,
        mcp_types.HEADER_MISMATCH,
        mcp_types.MISSING_REQUIRED_CLIENT_CAPABILITY,
        mcp_types.UNSUPPORTED_PROTOCOL_VERSION,
        faults.REFUSED,
    }
)
# The SDK says "parse error" of an answer that it cannot read.
_LOST = frozenset(
    {
        mcp_types.PARSE_ERROR,
        mcp_types.CONNECTION_CLOSED,
        mcp_types.REQUEST_TIMEOUT,
        faults.LOST,
    }
)
_FAULTS = {
    mcp_types.PARSE_ERROR: Fault.NOT_MCP,
    mcp_types.METHOD_NOT_FOUND: Fault.NOT_MCP,
    mcp_types.UNSUPPORTED_PROTOCOL_VERSION: Fault.VERSION,
    mcp_types.CONNECTION_CLOSED: Fault.CONNECTION_LOST,
}


def fault_from(error: MCPError) -> faults.LinkError:
    """Returns the SDK's error as one of ours."""
    fault = _fault(error)
    if error.code == mcp_types.URL_ELICITATION_REQUIRED:
        return faults.InputRequiredError(error.message, _visits(error))
    if error.code == faults.UNSENT:
        return faults.UnreachableError(error.message, fault=fault)
    if error.code in _LOST:
        return faults.LostError(error.message, fault=fault)
    if error.code == faults.SESSION_ENDED:
        return faults.SessionEndedError(error.message, fault=fault)
    if error.code in _REFUSALS:
        refused = faults.RefusedError(error.message, code=error.code, fault=fault)
        refused.scope = _scope(error)
        return refused
    answered = faults.AnsweredWithError(error.message, fault=fault)
    answered.code = error.code
    return answered


def _visits(error: MCPError) -> dict[str, Any]:
    """Returns the pages that a server wants visited first, as requests that it could have made."""
    data = error.error.data
    shown = cast("dict[str, Any]", data).get("elicitations") if isinstance(data, dict) else None
    pages = cast("list[Any]", shown) if isinstance(shown, list) else []
    return {
        "inputRequests": {
            str(number): {"method": "elicitation/create", "params": page}
            for number, page in enumerate(pages)
        }
    }


def _fault(error: MCPError) -> Fault:
    data = error.error.data
    if isinstance(data, dict) and "fault" in data:
        try:
            return Fault(str(cast("dict[str, Any]", data)["fault"]))
        except ValueError:
            # A server's own word.
            return Fault.SERVER_ERROR
    return _FAULTS.get(error.code, Fault.SERVER_ERROR)


def _scope(error: MCPError) -> str:
    data = error.error.data
    return str(cast("dict[str, Any]", data).get("scope", "")) if isinstance(data, dict) else ""


def unreachable(error: BaseException) -> faults.UnreachableError:
    """Returns why a session could not be opened."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, TimeoutError):
        message = "the server did not answer the handshake in time"
        return faults.UnreachableError(message, fault=Fault.TIMEOUT)
    fault = fault_from(error).fault if isinstance(error, MCPError) else fault_of(error)
    reason = faults.UnreachableError(str(error) or type(error).__name__, fault=fault)
    reason.scope = _scope(error) if isinstance(error, MCPError) else ""
    return reason
