"""`/admin/sessions`: the prefix ledger, as admins see it."""

import grpc
import httpx

from tests.gateway.upstream import MEMBER_KEY, TIME, RefusedError, Upstream
from turnpike.api.agent_runtime.v1 import prefix_service_pb2 as pb

SESSION = pb.PrefixSession(
    session="s",
    thread="t",
    model="m",
    epoch=2,
    revision=7,
    length=9,
    bytes=1234,
    context_tokens=300,
    predicted_tokens=200,
    cached_tokens=192,
    hit_share=0.5,
    first_delta={"nanos": 12_000_000},
    last_outcome="COMMITTED",
    last_miss="DIVERGENCE",
    difference={"element": 3, "kind": "user", "offset": 17, "ledger": "a", "request": "b"},
    boundaries=[
        {"label": "t/1", "epoch": 2, "revision": 7, "length": 9, "chain": "0f", "time": "T"}
    ],
    create_time=TIME,
    update_time=TIME,
)


async def test_sessions_are_shown_with_what_they_missed(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers["ListPrefixSessions"] = pb.ListPrefixSessionsResponse(
        sessions=[SESSION], next_page_token="more"
    )

    response = await client.get("/admin/sessions?thread=t&page_size=3&page_token=p")

    request = upstream.other.requests[0]
    assert (request.thread, request.page_size, request.page_token) == ("t", 3, "p")
    assert response.status_code == 200
    shown = response.json()
    assert shown["next_page_token"] == "more"
    session = shown["sessions"][0]
    assert session["difference"] == {
        "element": 3,
        "kind": "user",
        "offset": 17,
        "ledger": "a",
        "request": "b",
    }
    assert (session["first_delta_ms"], session["cached_tokens"]) == (12, 192)
    assert (session["last_miss"], session["in_flight"]) == ("DIVERGENCE", False)
    boundary = session["boundaries"][0]
    assert (boundary["cached_tokens"], boundary["miss"]) == (None, None)


async def test_members_are_refused(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers["ListPrefixSessions"] = RefusedError(
        grpc.StatusCode.PERMISSION_DENIED, "FORBIDDEN"
    )

    response = await client.get(
        "/admin/sessions", headers={"authorization": f"Bearer {MEMBER_KEY}"}
    )

    assert (response.status_code, response.json()["reason"]) == (403, "FORBIDDEN")
