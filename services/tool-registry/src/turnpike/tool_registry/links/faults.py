"""What can go wrong on the way to an MCP server, by what it says about the effect."""

from collections.abc import Mapping
from typing import Any

from turnpike.tool_registry.model import Fault

# Codes of our own for JSON-RPC errors, outside of the ranges that others use.
UNSENT = -39001
LOST = -39002
REFUSED = -39003
FAILED = -39004
SESSION_ENDED = -39005


class LinkError(Exception):
    """A request to an MCP server has no result."""

    scope = ""
    """What the credential falls short of, if that is what is wrong."""

    def __init__(self, message: str, *, fault: Fault = Fault.SERVER_ERROR) -> None:
        super().__init__(message)
        self.fault = fault


class UnreachableError(LinkError):
    """Nothing was sent: the request was certainly not executed."""


class RefusedError(LinkError):
    """The server refused the request before executing it."""

    def __init__(
        self, message: str, *, code: int = REFUSED, fault: Fault = Fault.SERVER_ERROR
    ) -> None:
        super().__init__(message, fault=fault)
        self.code = code


class SessionEndedError(RefusedError):
    """The server has forgotten the session: open another and send again."""


class AnsweredWithError(LinkError):
    """The server answered, with an error."""

    code = 0
    """The error's, if it was one of the protocol's."""


class LostError(LinkError):
    """The request was sent, and no answer came: it may have been executed."""


class InputRequiredError(LinkError):
    """The server wants something from a person before it goes on."""

    def __init__(self, message: str, wanted: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.wanted = wanted
