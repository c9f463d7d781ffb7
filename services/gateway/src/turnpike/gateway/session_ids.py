"""Which conversation a client of `/v1` means: a name of its own, in one of many headers."""

import re
from collections.abc import Mapping
from typing import Any

# The first that says something counts. None of them names only a user: all
# conversations of a person would be one.
_HEADERS = (
    "x-session-id",
    "x-session-affinity",
    "x-turnpike-session-id",
    "x-mtplx-session-id",
    "x-openwebui-chat-id",
    "x-claude-code-session-id",
    "x-opencode-session",
    "x-litellm-session-id",
    "x-conversation-id",
    "x-chat-id",
    "x-thread-id",
    "session-id",
    "session_id",
    "conversation-id",
    "conversation_id",
)
_METADATA = ("session_id", "mtplx_session_id", "chat_id", "conversation_id")
_BODY = ("chat_id", "conversation_id")
# Coding agents that speak Anthropic's form have no better place: the user, then the session.
_IN_USER = re.compile(r'(?:_session_|"session_id"\s*:\s*")([0-9A-Za-z-]{8,64})')
_LONGEST = 256


def session_id(headers: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """Returns a client's own name of its conversation; empty when it gives none.

    Args:
        headers: The request's, names in lower case.
        body: The request's JSON object.
    """
    metadata = body.get("metadata")
    given_metadata: Mapping[str, Any] = metadata if isinstance(metadata, Mapping) else {}
    candidates = (
        *(headers.get(name) for name in _HEADERS),
        *(given_metadata.get(name) for name in _METADATA),
        _session_of_user(given_metadata.get("user_id")),
        *(body.get(name) for name in _BODY),
    )
    for given in candidates:
        if isinstance(given, str) and 0 < len(text := given.strip()) <= _LONGEST:
            return text
    return ""


def _session_of_user(user: Any) -> str:
    found = _IN_USER.search(user) if isinstance(user, str) else None
    return found[1] if found else ""
