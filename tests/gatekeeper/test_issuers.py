"""What a tenant may rely on whose people sign in by an issuer of its own."""

import asyncio
from collections.abc import AsyncGenerator
from time import time
from typing import Any
from uuid import uuid4

import asyncpg
import grpc
import jwt
import pytest
from jwt.utils import base64url_decode

from tests.conftest import Keys
from tests.doubles.issuer_server import AUDIENCE, IssuerServer, SigningKey, serving_issuer
from tests.gatekeeper.serving import FIRST_KEY, Gatekeeper, Tenant, serving, settings_for
from tests.waiting import refusal, until
from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1 import principal_pb2
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import AuthenticateResponse
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.cli.stack.redis import LocalRedis
from turnpike.database.migration import MigrationUrls
from turnpike.gatekeeper.documents import open_documents
from turnpike.gatekeeper.id_tokens import peek, verify
from turnpike.gatekeeper.issuer import IssuerSpec
from turnpike.gatekeeper.key_sets import KeySets
from turnpike.gatekeeper.model import UnknownCredentialError
from turnpike.rpc.errors import UnavailableError
from turnpike.rpc.identity import bearer

ROLES = {
    "writers": principal_pb2.ROLE_MEMBER,
    "operators": principal_pb2.ROLE_ADMIN,
}


class Clock:
    """Stands still until it is moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def issuer() -> AsyncGenerator[IssuerServer]:
    """An issuer that nobody knows yet."""
    async with serving_issuer() as server:
        yield server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def key_sets(clock: Clock) -> AsyncGenerator[KeySets]:
    """Key sets over HTTP, on a clock of their own."""
    async with open_documents(allow_private=True) as fetch:
        yield KeySets(fetch, clock=clock)


@pytest.fixture(scope="module")
async def gatekeeper(
    urls: MigrationUrls, valkey: LocalRedis, keys: Keys
) -> AsyncGenerator[Gatekeeper]:
    """A gatekeeper that may reach this machine."""
    settings = settings_for(urls, valkey.url, keys, egress_allow_private=True)
    async with serving(settings, keys) as replica:
        yield replica


def spec_of(issuer: IssuerServer, **others: Any) -> IssuerSpec:
    values: dict[str, Any] = {
        "issuer": issuer.url,
        "audience": AUDIENCE,
        "jwks_url": "",
        "algorithms": ("RS256",),
        "claims": {},
        "roles": {},
        **others,
    }
    return IssuerSpec(**values)


async def trust(tenant: Tenant, issuer: IssuerServer, **others: Any) -> principal_pb2.Issuer:
    """Makes a tenant know an issuer."""
    message = principal_pb2.Issuer(name="acme", issuer=issuer.url, audience=AUDIENCE, **others)
    stub = IdentityServiceStub(tenant.gatekeeper.channel)
    request = pb.UpdateIssuerRequest(issuer=message, allow_missing=True)
    return (await stub.UpdateIssuer(request, metadata=tenant.as_admin)).issuer


async def sign_in(tenant: Tenant, token: str) -> AuthenticateResponse:
    return await tenant.gatekeeper.authenticate(token)


async def test_a_person_becomes_a_principal_with_the_least_role(
    tenant: Tenant, issuer: IssuerServer
):
    await trust(tenant, issuer)

    first = (await sign_in(tenant, issuer.token())).principal
    again = (await sign_in(tenant, issuer.token())).principal

    assert again == first
    assert (first.tenant, first.role) == (tenant.id, principal_pb2.ROLE_VIEWER)
    assert first.kind == principal_pb2.PRINCIPAL_KIND_PERSON
    assert (first.name, first.email, first.issuer) == ("Ada", "ada@example.com", issuer.url)


async def test_an_issuer_opens_gatekeeper_itself(tenant: Tenant, issuer: IssuerServer):
    claims = principal_pb2.Issuer.ClaimMapping(role="groups")
    await trust(tenant, issuer, claims=claims, roles=ROLES)
    token = issuer.token(groups=["operators"])
    stub = IdentityServiceStub(tenant.gatekeeper.channel)

    listed = await stub.ListPrincipals(pb.ListPrincipalsRequest(), metadata=bearer(token))

    assert [each.name for each in listed.principals] == ["Ada", "admin"]


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        (["writers"], principal_pb2.ROLE_MEMBER),
        (["writers", "operators", "others"], principal_pb2.ROLE_ADMIN),
        ("writers", principal_pb2.ROLE_MEMBER),
        (["others"], principal_pb2.ROLE_VIEWER),
        (None, principal_pb2.ROLE_VIEWER),
        ({"writers": 1}, principal_pb2.ROLE_VIEWER),
    ],
    ids=["one", "highest", "text", "unmapped", "none", "object"],
)
async def test_the_role_claim_says_the_role_at_each_sign_in(
    tenant: Tenant, issuer: IssuerServer, groups: Any, role: int
):
    claims = principal_pb2.Issuer.ClaimMapping(role="realm.groups")
    await trust(tenant, issuer, claims=claims, roles=ROLES)
    await sign_in(tenant, issuer.token(realm={"groups": ["operators"]}))

    principal = (await sign_in(tenant, issuer.token(realm={"groups": groups}))).principal

    assert principal.role == role


async def test_an_address_that_is_not_verified_is_none(tenant: Tenant, issuer: IssuerServer):
    await trust(tenant, issuer)

    for verified in (False, None, "true", 1):
        subject = f"bob-{verified}"
        token = issuer.token(sub=subject, email_verified=verified)
        assert (await sign_in(tenant, token)).principal.email == ""


async def test_two_first_sights_at_once_make_one_principal(
    tenant: Tenant, issuer: IssuerServer, superuser: asyncpg.Connection
):
    """Both look and find nobody; then the first inserts, and the second waits for it."""
    await trust(tenant, issuer)
    await sign_in(tenant, issuer.token(sub="somebody else"))
    transaction = superuser.transaction()
    await transaction.start()
    # Writers of principals wait; readers do not: so each has looked before any inserts.
    await superuser.execute("LOCK TABLE principals IN SHARE ROW EXCLUSIVE MODE")
    both = asyncio.gather(*(sign_in(tenant, issuer.token()) for _ in range(2)))
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE relation = 'principals'::regclass AND NOT granted"
    )

    async def wait() -> bool:
        return await superuser.fetchval(waiting) == 2

    await until(wait)
    await transaction.commit()

    one, other = [answer.principal.id for answer in await both]
    assert one == other
    asked = "SELECT count(*) FROM principals WHERE tenant = $1 AND subject = 'ada'"
    assert await superuser.fetchval(asked, tenant.id) == 1


async def test_a_removed_person_does_not_come_back(tenant: Tenant, issuer: IssuerServer):
    await trust(tenant, issuer)
    id = (await sign_in(tenant, issuer.token())).principal.id
    stub = IdentityServiceStub(tenant.gatekeeper.channel)

    await stub.RemovePrincipal(pb.RemovePrincipalRequest(id=id), metadata=tenant.as_admin)

    refused = await refusal(sign_in(tenant, issuer.token()))
    assert refused.code is grpc.StatusCode.UNAUTHENTICATED


async def test_the_same_person_elsewhere_is_another(
    gatekeeper: Gatekeeper, tenant: Tenant, issuer: IssuerServer
):
    """Issuer and audience are one tenant's; a second tenant has an audience of its own."""
    other = await gatekeeper.create_tenant()
    await trust(tenant, issuer)
    stub = IdentityServiceStub(gatekeeper.channel)
    taken = pb.CreateIssuerRequest(
        issuer=principal_pb2.Issuer(name="mine", issuer=issuer.url, audience=AUDIENCE)
    )
    refused = await refusal(stub.CreateIssuer(taken, metadata=other.as_admin))
    taken.issuer.audience = "elsewhere"
    await stub.CreateIssuer(taken, metadata=other.as_admin)

    mine = (await sign_in(tenant, issuer.token())).principal
    theirs = (await sign_in(other, issuer.token(aud="elsewhere"))).principal

    assert (refused.code, refused.reason) == (grpc.StatusCode.ALREADY_EXISTS, "CONFLICT")
    assert (mine.tenant, theirs.tenant) == (tenant.id, other.id)
    both = issuer.token(aud=[AUDIENCE, "elsewhere"])
    assert (await refusal(sign_in(tenant, both))).reason == "UNAUTHENTICATED"


async def test_an_issuer_of_the_platform_says_the_tenant(
    gatekeeper: Gatekeeper, tenant: Tenant, issuer: IssuerServer
):
    stub = IdentityServiceStub(gatekeeper.channel)
    spec = principal_pb2.Issuer(
        name=f"sso-{uuid4()}",
        issuer=issuer.url,
        audience=AUDIENCE,
        claims=principal_pb2.Issuer.ClaimMapping(tenant="org"),
    )
    request = pb.CreateIssuerRequest(issuer=spec)
    refused = await refusal(stub.CreateIssuer(request, metadata=tenant.as_admin))
    await stub.CreateIssuer(request, metadata=bearer(FIRST_KEY))

    by_id = (await sign_in(tenant, issuer.token(org=tenant.id))).principal
    by_name = (await sign_in(tenant, issuer.token(org=tenant.made.tenant.name))).principal

    assert refused.reason == "FORBIDDEN"
    assert by_id == by_name
    assert by_id.tenant == tenant.id
    for org in (None, "nobody", str(uuid4())):
        assert (await refusal(sign_in(tenant, issuer.token(org=org)))).reason == "UNAUTHENTICATED"


async def test_keys_are_rotated_in_the_middle(tenant: Tenant, issuer: IssuerServer):
    await trust(tenant, issuer)
    await sign_in(tenant, issuer.token())
    issuer.keys = [SigningKey("two")]

    async def accepted() -> bool:
        try:
            await sign_in(tenant, issuer.token())
        except grpc.aio.AioRpcError as error:
            assert error.code() is grpc.StatusCode.UNAUTHENTICATED
            return False
        return True

    await until(accepted)
    assert issuer.fetches == 2


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        ("issuer", "ftp://example.com", "issuer.issuer"),
        ("issuer", "https://me:secret@example.com", "issuer.issuer"),
        ("issuer", "https://169.254.169.254", "issuer.issuer"),
        ("jwks_url", "example.com/keys", "issuer.jwks_url"),
        ("audience", "", "issuer.audience"),
        ("name", "Not A Name", "issuer.name"),
        ("algorithms", ["HS256"], "issuer.algorithms[0]"),
        ("algorithms", ["none"], "issuer.algorithms[0]"),
        ("roles", {"ops": principal_pb2.ROLE_OWNER}, 'issuer.roles["ops"]'),
    ],
)
async def test_what_cannot_be_an_issuer_is_named(
    tenant: Tenant, field: str, value: Any, named: str
):
    values: dict[str, Any] = {
        **{"name": "acme", "issuer": "https://example.com", "audience": "a"},
        field: value,
    }
    stub = IdentityServiceStub(tenant.gatekeeper.channel)
    request = pb.CreateIssuerRequest(issuer=principal_pb2.Issuer(**values))

    refused = await refusal(stub.CreateIssuer(request, metadata=tenant.as_admin))

    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert [each for each, _ in refused.fields] == [named]


async def test_only_an_owner_touches_the_issuer_of_an_owner(tenant: Tenant, issuer: IssuerServer):
    """Who sets an issuer's keys could sign in as anybody whom it vouches for."""
    await trust(tenant, issuer)
    token = issuer.token()
    owner = (await sign_in(tenant, token)).principal.id
    stub = IdentityServiceStub(tenant.gatekeeper.channel)
    raised = pb.UpdatePrincipalRequest(id=owner, role=principal_pb2.ROLE_OWNER)
    await stub.UpdatePrincipal(raised, metadata=tenant.as_admin)

    changed = await refusal(trust(tenant, issuer, jwks_url=f"{issuer.url}/others"))
    deleted = await refusal(
        stub.DeleteIssuer(pb.DeleteIssuerRequest(name="acme"), metadata=tenant.as_admin)
    )

    assert (changed.reason, deleted.reason) == ("FORBIDDEN", "FORBIDDEN")
    await stub.DeleteIssuer(pb.DeleteIssuerRequest(name="acme"), metadata=bearer(token))


def forged_with_the_public_key(issuer: IssuerServer) -> str:
    """A token whose shared secret is what everybody may read."""
    public = base64url_decode(issuer.keys[0].jwk()["n"])
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "eve", "iat": time(), "exp": time() + 60}
    return jwt.encode(claims, public, algorithm="HS256", headers={"kid": issuer.keys[0].kid})


BAD: dict[str, Any] = {
    "another audience": lambda i: i.token(aud="others"),
    "no audience": lambda i: i.token(aud=None),
    "another issuer": lambda i: i.token(iss="https://others.example"),
    "no issuer": lambda i: i.token(iss=None),
    "expired": lambda i: i.token(exp=int(time()) - 70),
    "no end": lambda i: i.token(exp=None),
    "not yet": lambda i: i.token(nbf=int(time()) + 120),
    "issued later": lambda i: i.token(iat=int(time()) + 120),
    "no time of issue": lambda i: i.token(iat=None),
    "no subject": lambda i: i.token(sub=None),
    "subject is a number": lambda i: i.token(sub=7),
    "an algorithm that is not pinned": lambda i: i.token(algorithm="RS512"),
    "a shared secret": forged_with_the_public_key,
    "unsigned": lambda i: i.token(algorithm="none", secret=None, headers={"kid": "one"}),
    "another's signature": lambda i: i.token(SigningKey("one")),
    "an unknown key": lambda i: i.token(SigningKey("unknown")),
    "cut off": lambda i: i.token()[:-10],
}


@pytest.mark.parametrize("fault", BAD)
async def test_a_token_that_is_not_to_be_believed(
    key_sets: KeySets, issuer: IssuerServer, fault: str
):
    token = issuer.token() if fault == "unsigned" else BAD[fault](issuer)
    if fault == "unsigned":
        claims = jwt.decode(token, options={"verify_signature": False})
        token = jwt.encode(claims, "", algorithm="none", headers={"kid": "one"})
    spec = spec_of(issuer)

    with pytest.raises(UnknownCredentialError):
        await verify(token, peek(token), spec, key_sets)
    honest = issuer.token()
    assert (await verify(honest, peek(honest), spec, key_sets)).subject == "ada"


async def test_clocks_may_differ_by_a_minute(key_sets: KeySets, issuer: IssuerServer):
    for token in (issuer.token(exp=int(time()) - 30), issuer.token(nbf=int(time()) + 30)):
        assert await verify(token, peek(token), spec_of(issuer), key_sets)


async def test_a_key_for_one_algorithm_is_for_no_other(key_sets: KeySets, issuer: IssuerServer):
    token = issuer.token(algorithm="PS256")

    with pytest.raises(UnknownCredentialError):
        await verify(token, peek(token), spec_of(issuer, algorithms=("RS256", "PS256")), key_sets)


async def test_a_flood_of_unknown_keys_asks_the_issuer_a_bounded_number_of_times(
    key_sets: KeySets, issuer: IssuerServer, clock: Clock
):
    spec = spec_of(issuer)
    assert await key_sets.find(spec, "one")

    for _ in range(3):
        clock.now += 6
        found = await asyncio.gather(*(key_sets.find(spec, f"kid-{n}") for n in range(200)))
        assert not any(found)

    assert issuer.fetches == 4


async def test_many_who_wait_for_keys_ask_once(key_sets: KeySets, issuer: IssuerServer):
    issuer.gate.clear()
    waiting = asyncio.gather(*(key_sets.find(spec_of(issuer), "one") for _ in range(50)))
    await until(lambda: issuer.fetches > 0)
    issuer.gate.set()

    assert all(await waiting)
    assert issuer.fetches == 1


async def test_whoever_waits_for_keys_goes_on_when_the_first_gives_up(
    key_sets: KeySets, issuer: IssuerServer, clock: Clock
):
    issuer.gate.clear()
    first = asyncio.create_task(key_sets.find(spec_of(issuer), "one"))
    await until(lambda: issuer.fetches == 1)
    second = asyncio.create_task(key_sets.find(spec_of(issuer), "one"))
    first.cancel()
    await asyncio.wait([first])
    issuer.gate.set()

    assert await second
    assert issuer.fetches == 2


async def test_while_the_issuer_is_down_its_last_keys_are_good_for_a_day(
    key_sets: KeySets, issuer: IssuerServer, clock: Clock
):
    spec = spec_of(issuer)
    assert await key_sets.find(spec, "one")
    issuer.status = 503

    clock.now += 3600
    assert await key_sets.find(spec, "one")
    assert issuer.fetches == 1, "it did not come beyond discovery"

    clock.now += 24 * 3600
    with pytest.raises(UnavailableError):
        await key_sets.find(spec, "one")
    issuer.status = 200
    clock.now += 6
    assert await key_sets.find(spec, "one")


async def test_a_key_that_is_withdrawn_is_believed_no_longer_than_five_minutes(
    key_sets: KeySets, issuer: IssuerServer, clock: Clock
):
    spec = spec_of(issuer)
    assert await key_sets.find(spec, "one")
    issuer.keys = [SigningKey("two")]

    clock.now += 301
    assert await key_sets.find(spec, "one") is None
