"""Gatekeeper's values as the wire has them."""

from datetime import UTC, datetime
from uuid import UUID

from google.protobuf.message import Message

from turnpike.api.gatekeeper.v1 import principal_pb2 as pb
from turnpike.gatekeeper.model import NOBODY, ApiKey, Ban, Principal, Tenant
from turnpike.rpc.errors import InvalidArgumentError

_ROLES = {
    "owner": pb.ROLE_OWNER,
    "admin": pb.ROLE_ADMIN,
    "member": pb.ROLE_MEMBER,
    "viewer": pb.ROLE_VIEWER,
}
_ROLE_NAMES = {number: name for name, number in _ROLES.items()}


def uuid_of(id: str) -> UUID | None:
    """Returns the UUID that an id is; None when it is empty, `NOBODY` when it is none."""
    try:
        return UUID(id) if id else None
    except ValueError:
        return NOBODY


def role_name(role: pb.Role) -> str:
    """Returns a role as gatekeeper names it."""
    return _ROLE_NAMES[role]


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
    )


def ban_message(ban: Ban) -> pb.Ban:
    """Returns a ban as the wire has it."""
    return pb.Ban(
        id=str(ban.id),
        principal=str(ban.principal),
        note=ban.note,
        create_time=ban.created,
        expire_time=ban.expires,
    )
