"""Models: each route is one rpc, translated both ways."""

import httpx

from tests.gateway.upstream import Upstream
from turnpike.api.agent_runtime.v1 import model_service_pb2 as models


async def test_a_models_key_goes_in_and_never_comes_out(
    upstream: Upstream, client: httpx.AsyncClient
):
    stored = models.Model(
        name="gpt", provider="openai", model="gpt-x", has_api_key=True, api_key="sk", etag="e"
    )
    upstream.other.answers.update(
        UpdateModel=models.UpdateModelResponse(model=stored, change="CHANGE_CREATED"),
        ListModels=models.ListModelsResponse(models=[stored]),
    )
    body = {"model": "gpt-x", "api_key": "sk-secret", "prices": {"input": 3, "output": 4}}

    put = await client.put("/api/v1/models/gpt", json=body)
    kept = await client.put("/api/v1/models/gpt", json={"model": "gpt-x"})
    listed = await client.get("/api/v1/models")

    first, second, _ = upstream.other.requests
    assert (first.model.api_key, first.model.prices.output) == ("sk-secret", 4)
    assert not second.model.HasField("api_key") and not second.model.HasField("prices")
    assert put.status_code == kept.status_code == 201
    for response in (put, listed):
        assert '"has_api_key":true' in response.text and '"api_key"' not in response.text


async def test_all_that_is_said_of_a_model_goes_both_ways(
    upstream: Upstream, client: httpx.AsyncClient
):
    said = {
        "provider": "bedrock",
        "model": "claude",
        "role": "planner",
        "scope": "PERSON",
        "prices": {"input": 3, "output": 4, "cached": 1, "cache_write": 5},
        "limits": {"context_window": 200000, "max_output": 8000},
        "capabilities": ["tools", "vision"],
        "options": {"region": "eu-west-1"},
        "quota_pool": "shared",
    }
    pool = {"name": "pool", "members": [{"model": "gpt", "weight": 3}]}
    stored = models.Model(name="gpt", version=7, **(said | {"scope": "SCOPE_PERSON"}))  # pyright: ignore[reportArgumentType]
    upstream.other.answers.update(
        UpdateModel=models.UpdateModelResponse(model=stored, change="CHANGE_CHANGED"),
        CreateModel=models.CreateModelResponse(model=stored),
        DeleteModel=models.DeleteModelResponse(),
    )

    put = await client.put("/api/v1/models/gpt", json=said)
    await client.post("/api/v1/models", json=pool)
    await client.delete("/api/v1/models/gpt?scope=PERSON")

    changed, created, deleted = upstream.other.requests
    assert put.json() | said == put.json()
    assert put.json()["version"] == 7
    assert changed.model.options == {"region": "eu-west-1"}
    assert [(m.model, m.weight) for m in created.model.members] == [("gpt", 3)]
    assert changed.model.scope == deleted.scope == models.SCOPE_PERSON


async def test_a_model_is_asked_for_a_word(upstream: Upstream, client: httpx.AsyncClient):
    good = {"model": "a", "first_event": {"nanos": 7_000_000}, "own_key": True}
    bad = {"model": "b", "reason": "PROVIDER_AUTHENTICATION", "message": "no"}
    upstream.other.answers["TestModel"] = models.TestModelResponse(
        probes=[models.Probe(**good), models.Probe(**bad)]  # pyright: ignore[reportArgumentType]
    )

    response = await client.post("/api/v1/models/pool:test")

    assert upstream.other.requests[0].name == "pool"
    assert response.json() == {
        "probes": [
            {"model": "a", "reason": "", "message": "", "first_event_ms": 7, "own_key": True},
            bad | {"first_event_ms": None, "own_key": False},
        ]
    }
