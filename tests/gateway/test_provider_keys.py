"""Keys of one's own over REST: each route is one rpc, and no secret comes out."""

import httpx
import pytest

from tests.gateway.upstream import TIME, Upstream
from turnpike.api.agent_runtime.v1 import provider_key_service_pb2 as pb
from turnpike.api.agent_runtime.v1.model_service_pb2 import SCOPE_PERSON, SCOPE_TENANT

STORED = pb.ProviderKey(
    name="mine",
    provider="openai",
    base_url="https://m/v1",
    scope="SCOPE_PERSON",
    sealed_by="k1",
    api_key="sk-never",
    etag="e1",
    create_time=TIME,
    update_time=TIME,
)
BODY = {"provider": "openai", "base_url": "https://m/v1", "api_key": "sk-in", "scope": "PERSON"}
PATH = "/api/v1/provider-keys/mine"


async def test_a_key_goes_in_and_never_comes_out(upstream: Upstream, client: httpx.AsyncClient):
    upstream.other.answers.update(
        CreateProviderKey=pb.CreateProviderKeyResponse(provider_key=STORED),
        UpdateProviderKey=pb.UpdateProviderKeyResponse(
            provider_key=STORED, change="CHANGE_CHANGED"
        ),
        GetProviderKey=pb.GetProviderKeyResponse(provider_key=STORED),
        ListProviderKeys=pb.ListProviderKeysResponse(provider_keys=[STORED], next_page_token="n"),
        DeleteProviderKey=pb.DeleteProviderKeyResponse(),
    )

    created = await client.post("/api/v1/provider-keys", json={"name": "mine", **BODY})
    put = await client.put(PATH, json=BODY, headers={"if-match": '"e1"'})
    kept = await client.put(PATH, json={"provider": "openai"})
    read = await client.get(f"{PATH}?scope=PERSON")
    listed = await client.get("/api/v1/provider-keys?page_size=3")
    deleted = await client.delete(PATH)

    first, second, third, fourth, fifth, sixth = upstream.other.requests
    assert created.status_code == 201
    assert [each.status_code for each in (put, kept, read, listed, deleted)] == [
        *[200] * 4,
        204,
    ]
    assert first.provider_key.api_key == second.provider_key.api_key == "sk-in"
    assert (second.etag, second.allow_missing) == ("e1", False)
    assert not third.provider_key.HasField("api_key")
    assert third.provider_key.scope == sixth.scope == SCOPE_TENANT
    assert (fourth.scope, fifth.page_size) == (SCOPE_PERSON, 3)
    assert read.headers["etag"] == '"e1"'
    assert listed.json()["provider_keys"] == [read.json()]
    assert read.json()["sealed_by"] == "k1"
    for response in (created, put, read, listed):
        assert "sk-" not in response.text


@pytest.mark.parametrize("whose", ["tenant", "person"])
async def test_a_mode_is_said_and_asked_for(
    upstream: Upstream, client: httpx.AsyncClient, whose: str
):
    upstream.other.answers.update(
        GetKeyMode=pb.GetKeyModeResponse(),
        UpdateKeyMode=pb.UpdateKeyModeResponse(
            mode="KEY_MODE_REQUIRED", etag="e2", update_time=TIME, change="CHANGE_CREATED"
        ),
    )

    unsaid = await client.get(f"/api/v1/own-keys/{whose}")
    said = await client.put(f"/api/v1/own-keys/{whose}", json={"mode": "REQUIRED"})
    wrong = await client.put(f"/api/v1/own-keys/{whose}", json={"mode": "MAYBE"})

    asked, changed = upstream.other.requests
    assert unsaid.json() == {
        "scope": whose.upper(),
        "mode": "PREFERRED",
        "etag": "",
        "updated": None,
    }
    assert (said.status_code, said.json()["mode"], said.headers["etag"]) == (
        201,
        "REQUIRED",
        '"e2"',
    )
    assert (wrong.status_code, wrong.json()["errors"][0]["field"]) == (400, "mode")
    assert asked.scope == changed.scope == (SCOPE_PERSON if whose == "person" else SCOPE_TENANT)
    assert changed.mode == pb.KEY_MODE_REQUIRED


async def test_nobody_else_has_keys(upstream: Upstream, client: httpx.AsyncClient):
    response = await client.get("/api/v1/own-keys/everybody")

    assert response.status_code == 400
    assert upstream.other.requests == []
