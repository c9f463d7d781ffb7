"""What waits is shown as it comes, whatever happens to the connection."""

import json
from http.server import BaseHTTPRequestHandler
from itertools import islice
from typing import Any

import pytest

from tests.cli.test_following import Reply, gateway, status, stream
from turnpike.cli.conversation.inbox import arrivals
from turnpike.cli.gateway.client import RefusalError

CHANGE = b'event: inbox\ndata: {"type": "inbox", "pending": 1, "mine": 1, "newest": "x"}\n\n'


def page(*ids: str) -> Reply:
    """Answers with approvals, newest first."""

    def answer(request: BaseHTTPRequestHandler) -> None:
        body = json.dumps({"approvals": [{"id": each} for each in ids], "next_page_token": ""})
        request.send_response(200)
        request.send_header("content-length", str(len(body)))
        request.end_headers()
        request.wfile.write(body.encode())

    return answer


def ids(found: list[dict[str, Any]]) -> list[str]:
    return [each["id"] for each in found]


def test_each_approval_is_shown_once_oldest_first_through_broken_connections():
    told: list[str] = []
    replies = (stream(CHANGE, CHANGE), page("b", "a"), page("c", "b"), status(503))
    replies += (stream(CHANGE, length=9999), page("d", "c"))
    with gateway(*replies) as (client, _):
        found = list(islice(arrivals(client, {}, told.append), 4))

    assert ids(found) == ["a", "b", "c", "d"]
    assert len(told) == 1 and "503" in told[0]


def test_what_will_not_pass_ends_it():
    with gateway(status(401)) as (client, _), pytest.raises(RefusalError):
        list(arrivals(client, {}, print))
