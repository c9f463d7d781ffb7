"""Variables over REST: each route is one rpc, and no secret comes out."""

import httpx
import pytest

from tests.gateway.upstream import TIME, Upstream
from turnpike.api.tool_registry.v1 import variable_service_pb2 as pb

SECRET = pb.Variable(
    name="TOKEN",
    scope="VARIABLE_SCOPE_PERSON",
    secret=True,
    etag="e1",
    create_time=TIME,
    update_time=TIME,
)
PLAIN = pb.Variable(
    name="REGION",
    scope="VARIABLE_SCOPE_TENANT",
    value="north",
    etag="e2",
    create_time=TIME,
    update_time=TIME,
)
PATH = "/api/v1/variables/TOKEN"
BODY = {"value": "s3cret", "secret": True, "scope": "PERSON"}


async def test_a_variable_goes_in_and_a_secret_never_comes_out(
    upstream: Upstream, client: httpx.AsyncClient
):
    upstream.other.answers.update(
        SetVariable=pb.SetVariableResponse(variable=SECRET, change="CHANGE_CHANGED"),
        GetVariable=pb.GetVariableResponse(variable=SECRET),
        ListVariables=pb.ListVariablesResponse(variables=[PLAIN, SECRET], next_page_token="n"),
        DeleteVariable=pb.DeleteVariableResponse(),
    )

    created = await client.post("/api/v1/variables", json={"name": "TOKEN", **BODY})
    put = await client.put(PATH, json=BODY, headers={"if-match": '"e1"'})
    kept = await client.put(PATH, json={"secret": True})
    read = await client.get(f"{PATH}?scope=PERSON")
    listed = await client.get("/api/v1/variables?page_size=3")
    deleted = await client.delete(f"{PATH}?scope=PERSON")

    first, second, third, fourth, fifth, sixth = upstream.other.requests
    assert [each.status_code for each in (created, put, kept, read, listed, deleted)] == [
        201,
        *[200] * 4,
        204,
    ]
    assert (first.must_be_new, first.variable.value) == (True, "s3cret")
    assert (second.etag, second.must_be_new) == ("e1", False)
    assert not third.variable.HasField("value")
    assert fourth.scope == sixth.scope == pb.VARIABLE_SCOPE_PERSON
    assert fifth.page_size == 3
    assert read.headers["etag"] == '"e1"'
    assert [
        (each["name"], each["value"], each["scope"]) for each in listed.json()["variables"]
    ] == [
        ("REGION", "north", "TENANT"),
        ("TOKEN", None, "PERSON"),
    ]
    for response in (created, put, read, listed):
        assert "s3cret" not in response.text


@pytest.mark.parametrize("name", ["1st", "a-b", "", "x" * 65])
async def test_names_that_nothing_could_name_are_refused(client: httpx.AsyncClient, name: str):
    response = await client.post("/api/v1/variables", json={"name": name, "value": "v"})

    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, "name")
