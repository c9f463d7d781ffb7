"""Gatekeeper's values as the wire has them."""

from collections.abc import Iterable
from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from turnpike.api.gatekeeper.v1 import principal_pb2 as pb
from turnpike.gatekeeper.issuer import CLAIMS, DEFAULT_ALGORITHMS, Issuer, IssuerSpec
from turnpike.gatekeeper.model import NOBODY, ApiKey, Ban, Principal, Tenant
from turnpike.rpc.errors import InvalidArgumentError

_ROLES = {
    "owner": pb.ROLE_OWNER,
    "admin": pb.ROLE_ADMIN,
    "member": pb.ROLE_MEMBER,
    "viewer": pb.ROLE_VIEWER,
}
_ROLE_NAMES = {number: name for name, number in _ROLES.items()}
_SCOPES = {
    "turns": pb.SCOPE_TURNS,
    "read": pb.SCOPE_READ,
    "admin": pb.SCOPE_ADMIN,
    "usage": pb.SCOPE_USAGE,
}
_SCOPE_NAMES = {number: name for name, number in _SCOPES.items()}
_KINDS = {"person": pb.PRINCIPAL_KIND_PERSON, "service": pb.PRINCIPAL_KIND_SERVICE}
_KIND_NAMES = {number: name for name, number in _KINDS.items()}


def uuid_of(id: str) -> UUID | None:
    """Returns the UUID that an id is; None when it is empty, `NOBODY` when it is none."""
    try:
        return UUID(id) if id else None
    except ValueError:
        return NOBODY


def role_name(role: pb.Role) -> str:
    """Returns a role as gatekeeper names it; empty where it is not given."""
    return _ROLE_NAMES.get(role, "")


def scope_names(scopes: Iterable[pb.Scope]) -> list[str]:
    """Returns scopes as gatekeeper names them."""
    return [_SCOPE_NAMES[scope] for scope in scopes]


def kind_name(kind: pb.PrincipalKind) -> str:
    """Returns a principal's kind as gatekeeper names it; empty where it is not given."""
    return _KIND_NAMES.get(kind, "")


def time_of(message: Message, field: str) -> datetime | None:
    """Returns a time, or None where the message has none.

    Raises:
        InvalidArgumentError: It is before the year 1 or after 9999.
    """
    if not message.HasField(field):
        return None
    try:
        return getattr(message, field).ToDatetime(UTC)
    except (OverflowError, ValueError) as error:
        raise InvalidArgumentError(field, "is no time of the calendar") from error


def tenant_message(tenant: Tenant) -> pb.Tenant:
    """Returns a tenant as the wire has it."""
    return pb.Tenant(
        id=str(tenant.id), name=tenant.name, create_time=tenant.created, slots=tenant.slots
    )


def principal_message(principal: Principal) -> pb.Principal:
    """Returns a principal as the wire has it."""
    return pb.Principal(
        id=str(principal.id),
        tenant=str(principal.tenant),
        name=principal.name,
        role=_ROLES[principal.role],
        kind=_KINDS[principal.kind],
        email=principal.email or "",
        issuer=principal.issuer or "",
        create_time=principal.created,
        remove_time=principal.removed,
    )


def api_key_message(key: ApiKey) -> pb.ApiKey:
    """Returns an API key's record as the wire has it."""
    return pb.ApiKey(
        id=str(key.id),
        name=key.name,
        principal=principal_message(key.principal),
        create_time=key.created,
        expire_time=key.expires,
        revoke_time=key.revoked,
        scopes=[_SCOPES[scope] for scope in key.scopes],
        prefix=key.prefix,
        last_use_time=key.last_used,
        rotate_time=key.rotated,
    )


def ban_message(ban: Ban) -> pb.Ban:
    """Returns a ban as the wire has it."""
    message = pb.Ban(
        id=str(ban.id),
        note=ban.note,
        create_time=ban.created,
        expire_time=ban.expires,
        platform=ban.platform,
    )
    setattr(message, ban.subject.kind, ban.subject.value)
    return message


def issuer_spec(issuer: pb.Issuer) -> IssuerSpec:
    """Returns what a message says of an issuer."""
    claims = {name: getattr(issuer.claims, name) for name in CLAIMS}
    return IssuerSpec(
        issuer=issuer.issuer,
        audience=issuer.audience,
        jwks_url=issuer.jwks_url,
        algorithms=tuple(issuer.algorithms) or DEFAULT_ALGORITHMS,
        claims={name: path for name, path in claims.items() if path},
        roles={value: _ROLE_NAMES[role] for value, role in issuer.roles.items()},
    )


def issuer_message(issuer: Issuer) -> pb.Issuer:
    """Returns an issuer as the wire has it."""
    return pb.Issuer(
        name=issuer.name,
        issuer=issuer.spec.issuer,
        audience=issuer.spec.audience,
        jwks_url=issuer.spec.jwks_url,
        algorithms=issuer.spec.algorithms,
        claims=pb.Issuer.ClaimMapping(**issuer.spec.claims),
        roles={value: _ROLES[role] for value, role in issuer.spec.roles.items()},
        etag=issuer.etag,
        create_time=issuer.created,
        update_time=issuer.updated,
    )
