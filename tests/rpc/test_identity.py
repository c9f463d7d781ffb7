"""Tokens, as whoever trusts them relies on it."""

from datetime import UTC, datetime
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.rpc.keys import PRINCIPAL, SERVICES, TENANT, public_key, seed, signer, verifier
from turnpike.rpc.errors import ForbiddenError, UnauthenticatedError
from turnpike.rpc.identity import Caller, Signer, require_role, require_service
from turnpike.rpc.verifier import Verifier


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def gatekeeper(clock: Clock) -> Signer:
    return Signer("gatekeeper", seed("gatekeeper"), clock=clock)


@pytest.fixture
def timed_verifier(clock: Clock) -> Verifier:
    return Verifier({name: public_key(name) for name in SERVICES}, clock=clock)


def claims(**changed: Any) -> dict[str, Any]:
    claimed: dict[str, Any] = {
        "iss": "gatekeeper",
        "sub": PRINCIPAL,
        "ten": TENANT,
        "role": "admin",
        "key": "",
        "svc": "",
        "iat": 1_000_000_000,
        "exp": 4_000_000_000,
        "jti": "1",
    }
    return {name: value for name, value in {**claimed, **changed}.items() if value is not None}


def forged(signed_by: str, **changed: Any) -> str:
    key = Ed25519PrivateKey.from_private_bytes(seed(signed_by))
    headers = {"kid": changed.pop("kid", signed_by)}
    return jwt.encode(claims(**changed), key, algorithm="EdDSA", headers=headers)


def test_a_principal_token_says_who_calls():
    token, _ = signer("gatekeeper").principal_token(
        tenant=TENANT, principal=PRINCIPAL, role="admin", key="key-1"
    )

    assert verifier().verify(token).caller == Caller(TENANT, PRINCIPAL, "admin", "key-1", "")


def test_a_service_token_says_which_service_acts_for_whom():
    token = signer("agent-runtime").for_tenant(TENANT, PRINCIPAL)

    expected = Caller(TENANT, PRINCIPAL, "", "", "agent-runtime")
    assert verifier().verify(token).caller == expected


def test_the_claims_of_an_honest_token_are_believed():
    """The forgeries below fail for what they change, and nothing else."""
    assert verifier().verify(forged("gatekeeper")).caller.role == "admin"


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forged("agent-runtime", iss="agent-runtime"), id="principal by a service"),
        pytest.param(forged("agent-runtime"), id="issuer is not the signer"),
        pytest.param(forged("agent-runtime", kid="gatekeeper"), id="signed by another key"),
        pytest.param(forged("gatekeeper", svc="agent-runtime"), id="service is not the issuer"),
        pytest.param(forged("gatekeeper", kid="nobody"), id="unknown issuer"),
        pytest.param(forged("gatekeeper", ten=""), id="no tenant"),
        pytest.param(forged("gatekeeper", ten=7), id="tenant is a number"),
        pytest.param(forged("gatekeeper", exp=1_000_000_060), id="expired"),
        pytest.param(forged("gatekeeper", exp=None), id="no end"),
        pytest.param(forged("gatekeeper", exp="soon"), id="end is no number"),
        pytest.param(forged("gatekeeper", iat=3_999_999_999), id="from the future"),
        pytest.param(forged("gatekeeper")[:-8] + "AAAAAAAA", id="broken signature"),
        pytest.param(
            jwt.encode(claims(), "", algorithm="none", headers={"kid": "gatekeeper"}), id="unsigned"
        ),
        pytest.param(
            jwt.encode(
                claims(),
                public_key("gatekeeper"),
                algorithm="HS256",
                headers={"kid": "gatekeeper"},
            ),
            id="signed with the public key as a secret",
        ),
        pytest.param("abc", id="no token at all"),
        pytest.param("", id="empty"),
        pytest.param("ä.ö.ü", id="not ASCII"),
    ],
)
def test_nothing_else_is_believed(token: str):
    with pytest.raises(UnauthenticatedError):
        verifier().verify(token)


def test_a_token_ends_also_where_it_was_seen_before(
    clock: Clock, gatekeeper: Signer, timed_verifier: Verifier
):
    token, _ = gatekeeper.principal_token(tenant=TENANT, principal=PRINCIPAL, role="member")
    timed_verifier.verify(token)

    clock.now += 59
    timed_verifier.verify(token)
    clock.now += 1
    with pytest.raises(UnauthenticatedError, match="expired"):
        timed_verifier.verify(token)


@pytest.mark.parametrize(("left", "given"), [(10, 10), (3600, 60)])
def test_a_token_does_not_outlive_what_was_shown(
    clock: Clock, gatekeeper: Signer, timed_verifier: Verifier, left: int, given: int
):
    until = datetime.fromtimestamp(clock.now + left, UTC)
    token, expires = gatekeeper.principal_token(
        tenant=TENANT, principal=PRINCIPAL, role="member", until=until
    )
    assert expires.timestamp() == clock.now + given

    clock.now += given
    with pytest.raises(UnauthenticatedError, match="expired"):
        timed_verifier.verify(token)


def test_a_revoked_key_opens_nothing_any_more(gatekeeper: Signer, timed_verifier: Verifier):
    token, _ = gatekeeper.principal_token(
        tenant=TENANT, principal=PRINCIPAL, role="member", key="key-1"
    )
    other, _ = gatekeeper.principal_token(
        tenant=TENANT, principal=PRINCIPAL, role="member", key="key-2"
    )
    timed_verifier.verify(token)

    timed_verifier.revoke_key("key-1")

    with pytest.raises(UnauthenticatedError, match="revoked"):
        timed_verifier.verify(token)
    timed_verifier.verify(other)


def test_a_revoked_key_is_known_for_as_long_as_a_stream_may_be_lent_by_it(
    clock: Clock, timed_verifier: Verifier
):
    holder = Caller(TENANT, PRINCIPAL, "member", "key-1")
    timed_verifier.refuse_revoked(holder)
    timed_verifier.revoke_key("key-1")

    clock.now += 3600
    timed_verifier.revoke_key("key-2")

    with pytest.raises(UnauthenticatedError, match="revoked"):
        timed_verifier.refuse_revoked(holder)


def test_revoking_a_principal_ends_the_tokens_from_before(
    clock: Clock, gatekeeper: Signer, timed_verifier: Verifier
):
    before, _ = gatekeeper.principal_token(tenant=TENANT, principal=PRINCIPAL, role="member")
    clock.now += 1
    timed_verifier.revoke_principal(TENANT, PRINCIPAL, revoked=clock.now)
    clock.now += 1
    after, _ = gatekeeper.principal_token(tenant=TENANT, principal=PRINCIPAL, role="member")

    with pytest.raises(UnauthenticatedError, match="revoked"):
        timed_verifier.verify(before)
    timed_verifier.verify(after)


def test_a_service_goes_on_for_a_principal_whose_key_was_revoked(
    clock: Clock, timed_verifier: Verifier
):
    runtime = Signer("agent-runtime", seed("agent-runtime"), clock=clock)
    timed_verifier.revoke_principal(TENANT, PRINCIPAL, revoked=clock.now)

    timed_verifier.verify(runtime.for_tenant(TENANT, PRINCIPAL, key="key-1"))


def test_a_service_token_is_used_again_while_it_has_time_left(clock: Clock):
    runtime = Signer("agent-runtime", seed("agent-runtime"), clock=clock)
    first = runtime.for_tenant(TENANT, PRINCIPAL)

    clock.now += 40
    assert runtime.for_tenant(TENANT, PRINCIPAL) == first
    clock.now += 10
    assert runtime.for_tenant(TENANT, PRINCIPAL) != first


@pytest.mark.parametrize(("role", "may"), [("owner", True), ("admin", True), ("member", False)])
def test_a_role_includes_those_below_it(role: str, may: bool):
    caller = Caller(TENANT, PRINCIPAL, role)

    if may:
        require_role(caller, "admin")
    else:
        with pytest.raises(ForbiddenError):
            require_role(caller, "admin")


def test_what_is_for_services_is_closed_to_principals_and_other_services():
    require_service(Caller("", "", "", service="agent-runtime"), "agent-runtime", "gateway")

    for caller in (Caller(TENANT, PRINCIPAL, "owner"), Caller("", "", "", service="embedding")):
        with pytest.raises(ForbiddenError):
            require_service(caller, "agent-runtime")


def test_a_token_from_before_a_change_is_outdated_at_once_and_refused_soon(
    clock: Clock, gatekeeper: Signer, timed_verifier: Verifier
):
    old, new = (
        gatekeeper.principal_token(
            tenant=TENANT, principal=PRINCIPAL, role="admin", generation=generation
        )[0]
        for generation in (1, 2)
    )

    timed_verifier.renew_principal(TENANT, PRINCIPAL, 2)

    # Whoever handed it on may not have heard of the change yet.
    assert timed_verifier.is_outdated(old)
    timed_verifier.verify(old)
    clock.now += 0.5
    with pytest.raises(UnauthenticatedError, match="revoked"):
        timed_verifier.verify(old)
    assert not timed_verifier.is_outdated(new)
    timed_verifier.verify(new)
