"""Keys, principals, issuers, bans and tenants: each route is one rpc, translated both ways."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.gateway.upstream import CREATED, TIME, Upstream
from turnpike.api.gatekeeper.v1 import (
    identity_service_pb2,
    principal_pb2,
    tenancy_service_pb2,
)


async def test_a_key_is_shown_once(upstream: Upstream, client: httpx.AsyncClient):
    key = principal_pb2.ApiKey(
        id="k",
        name="ci",
        principal={
            "id": "p",
            "tenant": "t",
            "name": "ci",
            "role": "ROLE_MEMBER",
            "kind": "PRINCIPAL_KIND_SERVICE",
            "create_time": TIME,
        },
        create_time=TIME,
        scopes=["SCOPE_TURNS"],
        prefix="tpk_abc",
    )
    upstream.other.answers.update(
        CreateApiKey=tenancy_service_pb2.CreateApiKeyResponse(api_key=key, secret="tpk_new"),
        ListApiKeys=tenancy_service_pb2.ListApiKeysResponse(api_keys=[key]),
        RevokeApiKey=tenancy_service_pb2.RevokeApiKeyResponse(api_key=key),
        RotateApiKey=tenancy_service_pb2.RotateApiKeyResponse(api_key=key, secret="tpk_next"),
    )
    record = {
        "id": "k",
        "name": "ci",
        "role": "MEMBER",
        "principal": {
            "id": "p",
            "tenant": "t",
            "name": "ci",
            "role": "MEMBER",
            "kind": "SERVICE",
            "email": "",
            "issuer": "",
            "created": CREATED,
        },
        "created": CREATED,
        "expires": None,
        "revoked": None,
        "scopes": ["TURNS"],
        "prefix": "tpk_abc",
        "last_used": None,
        "rotated": None,
    }
    body = {"name": "ci", "role": "MEMBER", "expires": "2126-11-21T05:00:00Z"}

    created = await client.post("/api/v1/keys", json=body)
    listed = await client.get("/api/v1/keys")
    revoked = await client.delete("/api/v1/keys/k")
    numeric = await client.post("/api/v1/keys", json={**body, "expires": 5})

    assert (created.status_code, created.json()) == (201, {**record, "key": "tpk_new"})
    assert listed.json() == {"keys": [record], "next_page_token": ""}
    assert revoked.status_code == 204 and upstream.other.requests[2].id == "k"
    expires = upstream.other.requests[0].expire_time.ToDatetime(UTC)
    assert expires == datetime(2126, 11, 21, 5, tzinfo=UTC)
    assert numeric.json()["errors"][0]["field"] == "expires"

    rotated = await client.post("/api/v1/keys/k:rotate", json={"overlap_seconds": 60})
    assert (rotated.status_code, rotated.json()["key"]) == (200, "tpk_next")
    assert rotated.headers["cache-control"] == "no-store"
    assert upstream.other.requests[-1].overlap.ToTimedelta() == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["principal", "email", "domain", "key"]),
        ({"principal": "p", "email": "a@example.com"}, ["principal", "email"]),
        ({"domain": "example.com", "until": "now"}, ["until"]),
    ],
    ids=["nobody", "two", "unknown"],
)
async def test_a_ban_names_one_thing(client: httpx.AsyncClient, body: Any, fields: list[str]):
    refused = await client.post("/api/v1/bans", json=body)

    assert refused.status_code == 400
    assert [error["field"] for error in refused.json()["errors"]] == fields


async def test_issuers_and_principals(upstream: Upstream, client: httpx.AsyncClient):
    issuer = {
        "name": "acme",
        "issuer": "https://id.acme.example",
        "audience": "turnpike",
        "algorithms": ["RS256"],
        "claims": {"role": "groups"},
        "roles": {"ops": "ROLE_ADMIN"},
        "etag": "3",
        "create_time": TIME,
        "update_time": TIME,
    }
    principal = {"id": "p", "name": "Ada", "role": "ROLE_VIEWER", "create_time": TIME}
    upstream.other.answers.update(
        UpdateIssuer=identity_service_pb2.UpdateIssuerResponse(
            issuer=issuer, change=identity_service_pb2.ISSUER_CHANGE_CREATED
        ),
        ListPrincipals=identity_service_pb2.ListPrincipalsResponse(principals=[principal]),
        UpdatePrincipal=identity_service_pb2.UpdatePrincipalResponse(principal=principal),
        RemovePrincipal=identity_service_pb2.RemovePrincipalResponse(principal=principal),
    )
    body = {
        "issuer": "https://id.acme.example",
        "audience": "turnpike",
        "claims": {"role": "groups"},
        "roles": {"ops": "ADMIN"},
    }

    put = await client.put("/api/v1/issuers/acme", json=body)
    persons = await client.get("/api/v1/principals?kind=PERSON")
    patched = await client.patch("/api/v1/principals/p", json={"role": "VIEWER"})
    removed = await client.delete("/api/v1/principals/p")

    assert (put.status_code, put.headers["etag"]) == (201, '"3"')
    assert put.json()["roles"] == {"ops": "ADMIN"}
    assert upstream.other.requests[0].issuer.roles["ops"] == principal_pb2.ROLE_ADMIN
    assert upstream.other.requests[1].kind == principal_pb2.PRINCIPAL_KIND_PERSON
    assert persons.json()["principals"] == [patched.json()]
    assert upstream.other.requests[2].role == principal_pb2.ROLE_VIEWER
    assert removed.status_code == 204


async def test_bans_and_tenants(upstream: Upstream, client: httpx.AsyncClient):
    ban = {"id": "b", "principal": "p", "note": "spam", "create_time": TIME}
    tenant = {"id": "t", "name": "acme", "slots": 3, "create_time": TIME}
    upstream.other.answers.update(
        CreateBan=tenancy_service_pb2.CreateBanResponse(ban=ban),
        ListBans=tenancy_service_pb2.ListBansResponse(bans=[ban]),
        DeleteBan=tenancy_service_pb2.DeleteBanResponse(),
        CreateTenant=tenancy_service_pb2.CreateTenantResponse(tenant=tenant, secret="tpk_first"),
        ListTenants=tenancy_service_pb2.ListTenantsResponse(tenants=[tenant]),
    )

    banned = await client.post("/api/v1/bans", json={"principal": "p", "note": "spam"})
    bans = await client.get("/api/v1/bans")
    lifted = await client.delete("/api/v1/bans/b")
    made = await client.post("/api/v1/tenants", json={"name": "acme", "slots": 3})
    tenants = await client.get("/api/v1/tenants")

    record = {"id": "t", "name": "acme", "slots": 3, "created": CREATED}
    assert (banned.status_code, lifted.status_code, made.status_code) == (201, 204, 201)
    assert bans.json()["bans"] == [banned.json()]
    assert banned.json() == {
        "id": "b",
        "principal": "p",
        "email": None,
        "domain": None,
        "key": None,
        "note": "spam",
        "platform": False,
        "created": CREATED,
        "expires": None,
    }
    assert made.json() == {"tenant": record, "key": "tpk_first"}
    assert tenants.json()["tenants"] == [record]
