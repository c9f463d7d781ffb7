"""Who makes a call that is being served, and what is theirs."""

from dataclasses import dataclass
from uuid import UUID

from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import Caller, require_role
from turnpike.rpc.served import Context, caller_of

_ADMINS = frozenset({"owner", "admin"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """A principal of a tenant."""

    tenant: UUID
    principal: UUID
    is_admin: bool

    @property
    def only(self) -> UUID | None:
        """The principal whose things they see; None for all of the tenant's."""
        return None if self.is_admin else self.principal


def person_of(context: Context, *, least: str = "") -> Person:
    """Returns who makes the call.

    Args:
        context: The call's.
        least: The role that the call needs; empty when any will do.

    Raises:
        ForbiddenError: Their role does not allow it.
    """
    caller = caller_of(context)
    if least:
        require_role(caller, least)
    return person(caller)


def person(caller: Caller) -> Person:
    """Returns who a caller is."""
    return Person(
        tenant=UUID(caller.tenant),
        principal=UUID(caller.principal),
        is_admin=caller.role in _ADMINS,
    )


def require_person(caller: Caller) -> Caller:
    """Returns a caller that acts for a principal; raises `ForbiddenError` for any other.

    Whatever agent-runtime serves belongs to a tenant.
    """
    if not (caller.tenant and caller.principal):
        raise ForbiddenError("this is for principals of a tenant alone")
    return caller
