"""Vectors and searches: each route is one rpc, translated both ways."""

import struct
from base64 import b64decode

import httpx

from tests.gateway.upstream import Upstream
from turnpike.api.embedding.v1 import embedding_service_pb2 as embedding
from turnpike.api.embedding.v1 import search_service_pb2 as search


async def test_texts_become_vectors(upstream: Upstream, client: httpx.AsyncClient):
    vector = struct.pack("<2f", 0.5, -0.25)
    upstream.other.answers["Embed"] = embedding.EmbedResponse(
        embeddings=[{"vector": vector}], model="minilm", dimensions=2, tokens=3
    )

    one = await client.post("/api/v1/embeddings", json={"input": "hello"})
    others = {"input": ["a", "b"], "model": "m", "dimensions": 2}
    several = await client.post("/api/v1/embeddings", json=others)

    assert one.json() == {
        "embeddings": [[0.5, -0.25]],
        "model": "minilm",
        "dimensions": 2,
        "usage": {"input_tokens": 3},
    }
    assert several.status_code == 200
    assert [list(request.input) for request in upstream.other.requests] == [["hello"], ["a", "b"]]
    assert [request.dimensions for request in upstream.other.requests] == [0, 2]
    for bad in ({"input": []}, {"input": ""}, {"input": [1]}, {"input": 1}, {}):
        assert (await client.post("/api/v1/embeddings", json=bad)).status_code == 400


async def test_documents_are_searched(upstream: Upstream, client: httpx.AsyncClient):
    found = search.SearchResult(
        document="d1", path="/a.md", text="A toll.", headings=["Roads"], first_line=3, score=0.5
    )
    upstream.other.answers["Search"] = search.SearchResponse(
        results=[found], tokens=3, plan=search.SEARCH_PLAN_EXACT, recent=True
    )
    asked = {
        "query": "toll",
        "planned": ["road fee"],
        "filter": {"collections": ["papers"], "metadata": {"by": "ada"}, "since": "2026-11-21"},
        "max_tokens": 500,
        "read_time": True,
    }

    reply = await client.post("/api/v1/search", json=asked)

    (result,) = reply.json()["results"]
    assert (reply.json()["tokens"], reply.json()["plan"]) == (3, "EXACT")
    assert (reply.json()["recent"], reply.json()["since"]) == (True, "")
    assert (result["path"], result["headings"], result["first_line"]) == ("/a.md", ["Roads"], 3)
    (request,) = upstream.other.requests
    assert (request.query, list(request.planned), request.limit) == ("toll", ["road fee"], 10)
    assert dict(request.filter.metadata) == {"by": "ada"}
    assert (request.max_tokens, request.read_time) == (500, True)
    assert (request.filter.since, request.filter.time_zone) == ("2026-11-21", "UTC")
    for bad in ({}, {"query": ""}, {"query": "x", "limit": 0}, {"query": "x", "filter": {"a": 1}}):
        assert (await client.post("/api/v1/search", json=bad)).status_code == 400


async def test_openai_s_clients_are_given_vectors_in_their_form(
    upstream: Upstream, client: httpx.AsyncClient
):
    vectors = [[0.5, -0.25], [0.0, 1.0]]
    upstream.other.answers["Embed"] = embedding.EmbedResponse(
        embeddings=[{"vector": struct.pack("<2f", *vector)} for vector in vectors],
        model="minilm",
        dimensions=2,
        tokens=3,
    )
    body = {"input": ["a", "b"], "model": "default", "user": "somebody"}

    floats = await client.post("/v1/embeddings", json=body)
    packed = await client.post("/v1/embeddings", json=body | {"encoding_format": "base64"})

    assert floats.json() == {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": vector}
            for index, vector in enumerate(vectors)
        ],
        "model": "minilm",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }
    packed_vectors = [b64decode(each["embedding"]) for each in packed.json()["data"]]
    assert [list(struct.unpack("<2f", each)) for each in packed_vectors] == vectors
    assert list(upstream.other.requests[0].input) == ["a", "b"]
    assert upstream.other.requests[0].model == "default"
    refused = await client.post("/v1/embeddings", json=body | {"encoding_format": "hex"})
    assert refused.json()["error"]["param"] == "encoding_format"
