"""Bans from the outside: whom they name, how soon they hold, and when they end."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.doubles.issuer_server import AUDIENCE, IssuerServer, serving_issuer
from tests.doubles.processes import Double
from tests.e2e.edge import JSON, Edge, RefusedError
from tests.e2e.suite import until_it
from tests.e2e.test_openai_chat import ModelsLog

# Takes a minute where nobody stops it.
LONG = "n=3000+us=20000"
SILENT = "ttft=60000"
EMAIL = "Ada@Mail.Eu.Example.com"
QUICK = "quick"


@dataclass(frozen=True)
class Somebody:
    """A person of another tenant, with a key of their own too, and that tenant's admin."""

    admin: Edge
    person: Edge
    by_key: Edge
    principal: str
    key: str

    def named(self, kind: str) -> dict[str, str]:
        """Returns whom a ban of a kind names."""
        return {
            "principal": {"principal": self.principal},
            "email": {"email": "ada@MAIL.eu.example.com"},
            "domain": {"domain": "mail.eu.example.com"},
            "parent domain": {"domain": "Example.COM."},
            "key": {"key": self.key},
        }[kind]

    def banned(self, kind: str) -> Edge:
        """Returns the way by which whoever such a ban names comes in."""
        return self.by_key if kind == "key" else self.person

    async def ban(self, kind: str, **fields: Any) -> JSON:
        """Bans them, and returns the ban."""
        return await self.admin.call("POST", "/bans", {**self.named(kind), **fields})


KINDS = ("principal", "email", "domain", "parent domain", "key")


@pytest.fixture
async def issuer() -> AsyncGenerator[IssuerServer]:
    """An issuer that people sign in by."""
    async with serving_issuer() as server:
        yield server


@pytest.fixture
async def somebody(stranger: Edge, model: Double, issuer: IssuerServer) -> Somebody:
    """Somebody who may run turns of agents that are quick, slow and silent."""
    for name, script in ((QUICK, "n=1"), ("long", LONG), ("silent", SILENT)):
        await stranger.agent(name, script, model.url)
    spec = {
        "issuer": issuer.url,
        "audience": AUDIENCE,
        "claims": {"role": "groups"},
        "roles": {"writers": "MEMBER"},
    }
    await stranger.call("PUT", "/issuers/acme", spec)
    person = stranger.with_key(issuer.token(email=EMAIL, groups=["writers"]))
    await person.call("GET", "/turns")
    (known,) = (await stranger.call("GET", "/principals?kind=PERSON"))["principals"]
    assert (known["email"], known["role"]) == (EMAIL.lower(), "MEMBER")
    body = {"name": "Ada's script", "principal": known["id"], "scopes": ["TURNS"]}
    made = await stranger.call("POST", "/keys", body)
    by_key = stranger.with_key(made["key"])
    return Somebody(stranger, person, by_key, known["id"], made["id"])


async def refusal_of(edge: Edge) -> RefusedError:
    with pytest.raises(RefusedError) as refusal:
        await edge.run(QUICK)
    return refusal.value


async def admitted(edge: Edge) -> bool:
    try:
        fold = await edge.run(QUICK)
    except RefusedError as refusal:
        assert refusal.reason == "BANNED"
        return False
    return fold.log[-1].fields["status"] == "COMPLETED"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_ban_holds_at_the_next_admission_and_for_what_runs(somebody: Somebody, kind: str):
    edge = somebody.banned(kind)
    running = await edge.start("long")
    await somebody.admin.read(running["id"], until=3)

    ban = await somebody.ban(kind, note="for the test")
    refused = await refusal_of(edge)

    assert (refused.status, refused.reason) == (403, "BANNED")
    assert refused.problem["metadata"]["turn"]
    async with asyncio.timeout(30):
        fold = await somebody.admin.read(running["id"])
    ended_by = "KEY_REVOKED" if kind == "key" else "BANNED"
    assert fold.log[-1].fields["error"]["reason"] == ended_by
    other = somebody.person if kind == "key" else somebody.by_key
    assert await admitted(other) == (kind == "key"), "a ban of a key is not its holder's"

    await somebody.admin.call("DELETE", f"/bans/{ban['id']}")

    assert await admitted(edge)


async def test_refusals_are_listed_by_whom_they_befell(somebody: Somebody):
    await somebody.ban("email")
    refused = await refusal_of(somebody.person)
    found: list[JSON] = []

    async def listed() -> bool:
        path = f"/refusals?principal={somebody.principal}&reason=BANNED"
        found[:] = (await somebody.admin.call("GET", path))["refusals"]
        return bool(found)

    await until_it(listed)

    assert [each["turn"] for each in found] == [refused.problem["metadata"]["turn"]]
    asked = f"/admission:explain?principal={somebody.principal}"
    told = await somebody.admin.call("GET", asked)
    assert told["decision"] == "BANNED"
    assert told["gates"][0]["name"] == "ban"


async def test_a_ban_with_an_end_ends(somebody: Somebody):
    later = datetime.now(UTC) + timedelta(hours=1)
    await somebody.ban("domain", expires=later.isoformat())
    refused = await refusal_of(somebody.person)
    # In its place: however slow the machine is, somebody was kept out before this one ends.
    ends = datetime.now(UTC) + timedelta(seconds=3)
    await somebody.ban("domain", expires=ends.isoformat())

    assert datetime.fromisoformat(refused.problem["metadata"]["until"]) == later
    await until_it(lambda: admitted(somebody.person), within=30)
    assert datetime.now(UTC) >= ends


async def test_the_platform_bans_in_every_tenant(edge: Edge, somebody: Somebody):
    body = {"domain": "example.com", "platform": True}
    with pytest.raises(RefusedError) as forbidden:
        await somebody.admin.call("POST", "/bans", body)
    ban = await edge.call("POST", "/bans", body)
    try:
        refused = await refusal_of(somebody.person)
    finally:
        await edge.call("DELETE", f"/bans/{ban['id']}")

    assert (forbidden.value.status, forbidden.value.reason) == (403, "FORBIDDEN")
    assert (refused.status, refused.reason) == (403, "BANNED")
    assert await admitted(somebody.person)


@pytest.mark.parametrize("path", ["/api/v1/embeddings", "/v1/embeddings"])
async def test_who_is_banned_has_nothing_embedded(somebody: Somebody, path: str):
    async def answered(status: int) -> bool:
        reply = await somebody.person.http.post(path, json={"input": ["text"]})
        return reply.status_code == status

    assert await answered(200)
    ban = await somebody.ban("principal")
    await until_it(lambda: answered(403))

    await somebody.admin.call("DELETE", f"/bans/{ban['id']}")

    await until_it(lambda: answered(200))


@pytest.mark.parametrize("kind", ["domain", "key"])
async def test_a_model_that_is_silent_is_not_waited_for_once_its_asker_is_banned(
    somebody: Somebody, models_log: ModelsLog, kind: str
):
    """Over `/v1`, straight at a model: there is no turn whose log would end."""
    edge = somebody.banned(kind)
    body = {"model": "silent", "messages": [{"role": "user", "content": "hello"}]}
    before = len(await models_log(SILENT))
    asking = asyncio.create_task(edge.http.post("/v1/chat/completions", json=body))

    async def is_asked() -> bool:
        return len(await models_log(SILENT)) > before

    await until_it(is_asked)
    await somebody.ban(kind)
    async with asyncio.timeout(30):
        reply = await asking

    assert reply.status_code == 403
    assert reply.json()["error"]["type"] == "permission_error"
