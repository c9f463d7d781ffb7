"""Who may see and do what, from the outside."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import httpx
import pytest

from tests.doubles.effects_journal import Journal
from tests.e2e.conftest import MakeAgent
from tests.e2e.edge import JSON, Edge, RefusedError
from tests.e2e.suite import Suite, until_it

MakeKey = Callable[[str], Awaitable[dict[str, Any]]]
METHODS = ("get", "put", "patch", "post", "delete")
# A stranger may make one of the same name.
NAMED_BY_CALLERS = ("put",)
# Refused before anything is looked for: see test_accounts.
OPERATORS = tuple(f"/api/v1/{noun}/" for noun in ("limits", "plans", "subscriptions"))
# Each caller has one of its own: no name in it is anybody's.
EVERYBODYS = (
    "/api/v1/own-keys/{whose}",
    *(f"/api/v1/policies/{{whose}}{verb}" for verb in ("", "/versions", ":explain")),
)
# In one the name is the credential; the other is a list, and nothing of ours is in theirs.
APART = ("/api/v1/blobs/{token}", "/api/v1/turns/{turn}/artifacts")
BUILT_IN = ("default", "scripted")


async def statuses(edge: Edge, key: str | None) -> int:
    caller = edge.with_key(key)
    return (await caller.http.get("/api/v1/turns")).status_code


@pytest.mark.parametrize("key", [None, "tpk_wrong-wrong-wrong-wrong", "not a key", "é"])
async def test_a_missing_or_wrong_key_is_unauthenticated(suite: Suite, key: str | None):
    headers = {} if key is None else {b"authorization": f"Bearer {key}".encode()}
    async with httpx.AsyncClient(base_url=suite.url) as client:
        response = await client.get("/api/v1/turns", headers=headers)  # pyright: ignore[reportArgumentType] # bytes may be any

    assert response.status_code == 401
    assert response.json()["reason"] == "UNAUTHENTICATED"
    assert response.headers["content-type"].startswith("application/problem+json")


async def test_a_revoked_key_is_refused_everywhere_while_its_token_lives_on(
    edge: Edge, make_key: MakeKey
):
    made = await make_key("MEMBER")
    assert await statuses(edge, made["key"]) == 200

    await edge.call("DELETE", f"/keys/{made['id']}")

    async def refused() -> bool:
        return await statuses(edge, made["key"]) == 401

    await until_it(refused)


async def test_revoking_a_key_stops_its_running_turns(
    edge: Edge, agent: MakeAgent, make_key: MakeKey
):
    made = await make_key("MEMBER")
    turn = await edge.with_key(made["key"]).start(await agent("n=2000+us=20000"))

    await edge.call("DELETE", f"/keys/{made['id']}")

    async with asyncio.timeout(30):
        fold = await edge.read(turn["id"])
    assert fold.log[-1].fields["error"]["reason"] == "KEY_REVOKED"


async def test_revoking_a_key_ends_its_open_streams(
    edge: Edge, agent: MakeAgent, make_key: MakeKey
):
    turn = await edge.start(await agent("n=2000+us=20000"))
    made = await make_key("ADMIN")
    reader = edge.with_key(made["key"])

    async with reader.stream("GET", f"/turns/{turn['id']}/events") as stream:
        events = stream.events()
        await anext(events)
        await edge.call("DELETE", f"/keys/{made['id']}")
        async with asyncio.timeout(30):
            rest = [event.type async for event in events]

    assert "turn.finished" not in rest
    cancelled = await edge.call("POST", f"/turns/{turn['id']}:cancel")
    assert cancelled["status"] == "CANCELLED"


async def test_a_viewer_may_look_and_start_nothing(edge: Edge, agent: MakeAgent, make_key: MakeKey):
    viewer = edge.with_key((await make_key("VIEWER"))["key"])
    name = await agent("n=1")

    with pytest.raises(RefusedError) as refusal:
        await viewer.run(name)

    assert (refusal.value.status, refusal.value.reason) == (403, "FORBIDDEN")


async def test_a_member_sees_its_own_turns_only(edge: Edge, agent: MakeAgent, make_key: MakeKey):
    name = await agent("n=1")
    one = edge.with_key((await make_key("MEMBER"))["key"])
    other = edge.with_key((await make_key("MEMBER"))["key"])
    turn = await one.start(name)

    with pytest.raises(RefusedError) as refusal:
        await other.turn(turn["id"])

    assert refusal.value.status == 404
    assert "owner" not in await one.turn(turn["id"])
    assert (await edge.turn(turn["id"]))["owner"].startswith("agent-runtime-")


def routes_with_parameters(openapi: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (method.upper(), path)
        for path, operations in openapi["paths"].items()
        for method in operations
        if "{" in path
        and method in METHODS
        and method not in NAMED_BY_CALLERS
        and not path.startswith(OPERATORS)
        and path not in (*EVERYBODYS, *APART)
    ]


async def test_another_tenant_s_things_are_not_found_on_any_route(
    edge: Edge, agent: MakeAgent, stranger: Edge, tag: str
):
    script = f'n=1+tool=effects__peek+arg={{"tag":"{tag}"}}'
    name = await agent(script, tools=["effects/*"])
    turn = await edge.start(name)
    log = (await edge.read(turn["id"])).log
    effect = next(event.fields["effect"] for event in log if event.type == "tool.requested")
    assert (await edge.call("GET", f"/effects/{effect}"))["turn"] == turn["id"]
    before = (await edge.turn(turn["id"]), await edge.messages(turn["thread"]))
    key = (await edge.call("GET", "/keys"))["keys"][0]["id"]
    await edge.call("POST", "/collections", {"name": tag})
    file = await edge.http.post("/api/v1/files", content=b"ours", params={"name": "ours.txt"})
    values: dict[str, str] = {
        **{"file": file.json()["id"], "collection": tag, "path": "a.md", "kind": "files"},
        **dict.fromkeys(("approval", "artifact", "grant", "document", "change"), turn["id"]),
        **{"turn": turn["id"], "thread": turn["thread"], "name": name, "key": key, "id": key},
        **{"tool": "effects/peek", "effect": effect, "model": name, "sign_in": turn["id"]},
        "response": f"resp_{UUID(turn['id']).hex}",
    }
    openapi = (await edge.http.get("/openapi.json")).json()
    routes = routes_with_parameters(openapi)

    for method, path in routes:
        filled = re.sub(r"{(\w+)}", lambda part: values[part[1]], path)
        if "connectors" in path:
            filled = filled.replace(name, "effects")
        body = example_body(openapi, path, method)
        response = await stranger.http.request(method, filled, json=body)
        assert response.status_code == 404, f"{method} {filled}: {response.text}"

    assert len(routes) > 10
    assert (await edge.turn(turn["id"]), await edge.messages(turn["thread"])) == before


# Bodies that are right, by how a path ends, so that only the tenant is wrong.
EXAMPLES: dict[str, JSON] = {
    "/turns": {"agent": "default", "input": "hello"},
    ":activate": {"version": "00000000-0000-0000-0000-000000000000"},
    ":resolve": {"generation": 1, "resolution": "done"},
    ":decide": {"decisions": [{"call_id": "c", "kind": "approve"}]},
    ":call": {},
    ":approve": {"digest": "d"},
    "/principals/{id}": {"role": "MEMBER"},
    "/threads/{thread}": {"title": "mine now"},
    "/collections/{collection}": {"metadata": {}},
}


def example_body(openapi: dict[str, Any], path: str, method: str) -> Any:
    """Returns a body that is right."""
    if method in ("GET", "DELETE"):
        return None
    for ending, body in EXAMPLES.items():
        if path.endswith(ending):
            return body
    return least_body(openapi, openapi["paths"][path][method.lower()])


def least_body(openapi: dict[str, Any], operation: dict[str, Any]) -> Any:
    """Returns a body of nothing but what must be there."""
    if "requestBody" not in operation:
        return None
    schema = operation["requestBody"]["content"].get("application/json", {}).get("schema", {})
    shape = openapi["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], {})
    kinds = {name: shape["properties"][name].get("type") for name in shape.get("required", ())}
    return {name: 1 if kind == "integer" else "xx.md" for name, kind in kinds.items()}


# Bodies that are right, so that only the role is wrong.
RIGHT = {
    "/agents": {"name": "n", "model": "scripted"},
    "/agents/": {"model": "scripted"},
    "/bans": {"email": "nobody@example.com"},
    "/budgets/": {"limit_micro_usd": 1},
    "/connectors": {"name": "n", "transport": "http", "url": "https://example.com"},
    "/connectors/": {"transport": "http", "url": "https://example.com"},
    "/issuers": {"name": "n", "issuer": "https://example.com", "audience": "n"},
    "/issuers/": {"issuer": "https://example.com", "audience": "n"},
    "/keys": {"name": "n", "role": "VIEWER"},
    "/models": {"name": "n", "model": "n"},
    "/models/": {"model": "n"},
    "/plans/": {"tier": "FREE"},
    "/principals": {"name": "n", "role": "VIEWER"},
    "/subscriptions/": {"plan": "n"},
    "/tenants": {"name": "n"},
    "/turns:run": {"agent": "default", "input": "hello"},
}
# What a viewer may send: a question that changes nothing, or a session of its own.
VIEWERS = ("/session", "/embeddings", "/search", ":token")


async def test_a_viewer_changes_nothing_on_any_route(
    edge: Edge, agent: MakeAgent, make_key: MakeKey
):
    made = await make_key("VIEWER")
    viewer, name = edge.with_key(made["key"]), await agent("n=1")
    turn = await edge.start(name)
    await edge.read(turn["id"])
    values = {"turn": turn["id"], "thread": turn["thread"], "name": name, "id": made["id"]}
    openapi = (await edge.http.get("/openapi.json")).json()
    answered: dict[int, list[str]] = {}

    for path, operations in openapi["paths"].items():
        route = path.removeprefix("/api/v1")
        for method in {"post", "put", "patch", "delete"} & set(operations):
            if route == path or route.endswith(VIEWERS):
                continue
            filled = re.sub(r"{(\w+)}", lambda part: values.get(part[1], "tenant"), path)
            right = RIGHT.get(re.sub(r"{\w+}$", "", route)) if method in ("put", "post") else None
            body = right or example_body(openapi, path, method.upper())
            response = await viewer.http.request(method, filled, json=body)
            answered.setdefault(response.status_code, []).append(f"{method} {route}")

    assert set(answered) <= {400, 403, 404}, answered
    assert len(answered[403]) > 30
    assert (await edge.turn(turn["id"]))["text"] == "~0 "
    assert (await edge.call("GET", f"/agents/{name}"))["model"] == name


async def test_every_refusal_s_headers_are_documented(edge: Edge):
    openapi = (await edge.http.get("/openapi.json")).json()
    described = [
        (status, set(response.get("headers", {})))
        for operations in openapi["paths"].values()
        for operation in operations.values()
        for status, response in operation["responses"].items()
        if status in ("402", "429", "503")
    ]

    assert {status for status, _ in described} == {"402", "429", "503"}
    assert all("Retry-After" in headers for _, headers in described)
    assert all("RateLimit" in headers for status, headers in described if status == "429")


async def test_another_tenant_lists_nothing_of_ours(
    edge: Edge, agent: MakeAgent, stranger: Edge, journal: Journal
):
    turn = await edge.start(await agent("n=1"))
    await edge.read(turn["id"])

    for plural in ("turns", "threads", "agents", "models", "connectors"):
        listed = (await stranger.call("GET", f"/{plural}"))[plural]
        names = [thing.get("name") for thing in listed]
        assert [name for name in names if name not in BUILT_IN] == []
    assert (await stranger.call("GET", "/tools"))["tools"] == []


async def test_a_browser_s_session_needs_its_token_to_write(suite: Suite):
    async with httpx.AsyncClient(base_url=suite.url) as browser:
        opened = await browser.post("/api/v1/session", json={"key": suite.key})
        token = opened.json()["csrf_token"]
        looked = await browser.get("/api/v1/turns")
        forged = await browser.post("/api/v1/threads", json={})
        written = await browser.post("/api/v1/threads", json={}, headers={"x-csrf-token": token})
        await browser.delete("/api/v1/session", headers={"x-csrf-token": token})
        after = await browser.get("/api/v1/turns")

    assert "httponly" in opened.headers["set-cookie"].lower()
    assert [reply.status_code for reply in (looked, forged, written, after)] == [
        200,
        403,
        201,
        401,
    ]


async def test_a_stream_token_opens_one_turn_s_events_and_nothing_else(
    suite: Suite, edge: Edge, agent: MakeAgent
):
    name = await agent("n=3")
    mine, other = await edge.start(name), await edge.start(name)
    await edge.read(mine["id"])
    token = (await edge.call("POST", f"/turns/{mine['id']}:token"))["token"]

    async with httpx.AsyncClient(base_url=f"{suite.url}/api/v1") as source:
        streamed = await source.get(f"/turns/{mine['id']}/events?token={token}")
        elsewhere = await source.get(f"/turns/{other['id']}/events?token={token}")
        turn = await source.get(f"/turns/{mine['id']}?token={token}")

    assert "event: turn.finished" in streamed.text
    assert elsewhere.status_code in (401, 403, 404)
    assert turn.status_code == 401
