"""Which conversation a client of `/v1` means."""

from typing import Any

import pytest

from turnpike.gateway.session_ids import session_id


@pytest.mark.parametrize(
    ("headers", "body", "expected"),
    [
        pytest.param({"x-session-id": "s"}, {}, "s", id="the plain header"),
        pytest.param({"x-session-affinity": "s"}, {}, "s", id="affinity"),
        pytest.param({"x-session-id": "a", "x-session-affinity": "b"}, {}, "a", id="first wins"),
        pytest.param({"x-session-id": " ", "x-session-affinity": "b"}, {}, "b", id="blank is none"),
        pytest.param({"x-session-id": "s" * 257}, {}, "", id="too long is none"),
        pytest.param({"x-mtplx-session-id": "s"}, {}, "s", id="mtplx"),
        pytest.param({"x-openwebui-chat-id": "s"}, {}, "s", id="open-webui's chat"),
        pytest.param({"x-claude-code-session-id": "s"}, {}, "s", id="claude code"),
        pytest.param({"x-opencode-session": "s"}, {}, "s", id="opencode"),
        pytest.param({"session_id": "s"}, {}, "s", id="codex"),
        pytest.param({"x-openwebui-user-id": "u"}, {}, "", id="a user's header names no session"),
        pytest.param({"x-user-id": "u"}, {"user": "u"}, "", id="nor does a user in the body"),
        pytest.param({}, {"safety_identifier": "u"}, "", id="nor a user's fingerprint"),
        pytest.param({}, {"metadata": {"session_id": "s"}}, "s", id="metadata"),
        pytest.param({}, {"metadata": {"user_id": "u"}}, "", id="a user in metadata"),
        pytest.param(
            {},
            {"metadata": {"user_id": "user_0a1b_account__session_0f3c-77aa"}},
            "0f3c-77aa",
            id="a session behind a user",
        ),
        pytest.param(
            {},
            {"metadata": {"user_id": '{"device_id":"d","session_id":"0f3c-77aa"}'}},
            "0f3c-77aa",
            id="a session beside a user",
        ),
        pytest.param({}, {"metadata": "s"}, "", id="metadata that is none"),
        pytest.param({}, {"conversation_id": "s"}, "s", id="the body"),
        pytest.param({}, {"conversation_id": 7}, "", id="no text"),
        pytest.param({"x-chat-id": "h"}, {"chat_id": "b"}, "h", id="a header before the body"),
        pytest.param({}, {}, "", id="nothing"),
    ],
)
def test_a_conversation_is_named_by_headers_then_by_the_body_and_never_by_a_user(
    headers: dict[str, str], body: dict[str, Any], expected: str
):
    assert session_id(headers, body) == expected
