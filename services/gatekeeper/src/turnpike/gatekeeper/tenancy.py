"""Who may administer what: tenants, API keys and bans."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.gatekeeper import api_keys, bans
from turnpike.gatekeeper.administrators import (
    Administrator,
    Position,
    administering,
    known,
    storable,
)
from turnpike.gatekeeper.credentials import digest, new_secret, prefix
from turnpike.gatekeeper.model import (
    ApiKey,
    Ban,
    MissingError,
    NewTenant,
    Principal,
    Subject,
    Tenant,
)
from turnpike.gatekeeper.platform_bans import PlatformBans
from turnpike.gatekeeper.principals import create_principal, get_principal, set_role
from turnpike.gatekeeper.subjects import subject_of
from turnpike.gatekeeper.system import System
from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.identity import Caller

_KINDS = {"principal": "principal", "key": "api_key"}


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRequest:
    """An API key to make."""

    name: str
    role: str
    """Of a service account of its own; empty when it is `principal`'s."""

    principal: str
    expires: datetime | None
    scopes: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class BanRequest:
    """A ban to impose."""

    kind: str
    value: str
    note: str
    expires: datetime | None
    platform: bool


class Tenancy:
    """Administers on behalf of callers.

    Every method raises `ForbiddenError` when the caller is no admin, `BannedError`
    when it is banned, and `UnavailableError` when Postgres does not answer. What
    belongs to another tenant does not exist.
    """

    def __init__(self, engine: AsyncEngine, system: System, platform: PlatformBans) -> None:
        self._engine = engine
        self._system = system
        self._platform = platform

    async def create_tenant(self, caller: Caller, name: str, slots: int) -> NewTenant:
        """Creates a tenant with an admin and its key; for the first tenant's admins.

        Raises:
            NameTakenError: The name is taken.
        """
        async with administering(self._engine, caller) as admin:
            await admin.require_platform()
            # The new admin's key opens all of the new tenant.
            admin.require_no_less("admin", ())
        secret = new_secret()
        tenant, key = await self._system.create_tenant(storable("name", name), slots, secret)
        return NewTenant(tenant=tenant, key=key, secret=secret)

    async def list_tenants(
        self, caller: Caller, after: Position | None, limit: int
    ) -> list[Tenant]:
        """Returns tenants, newest first; for the first tenant's admins."""
        async with administering(self._engine, caller) as admin:
            await admin.require_platform()
        return await self._system.list_tenants(after, limit)

    async def create_api_key(self, caller: Caller, request: KeyRequest) -> tuple[ApiKey, str]:
        """Creates a key; returns it and the key itself.

        Raises:
            ForbiddenError: It would open more than the caller may do.
            InvalidArgumentError: It says neither whose it is nor a role, or both.
            MissingError: The caller's tenant has no such principal.
        """
        secret = new_secret()
        async with administering(self._engine, caller) as admin:
            principal = await _holder(admin, request)
            key = await api_keys.create_api_key(
                admin.connection,
                tenant=admin.tenant,
                principal=principal.id,
                name=storable("name", request.name),
                digest=digest(secret),
                prefix=prefix(secret),
                expires=request.expires,
                scopes=sorted(request.scopes),
            )
        return key, secret

    async def list_api_keys(
        self, caller: Caller, after: Position | None, limit: int
    ) -> list[ApiKey]:
        """Returns the keys of the caller's tenant, newest first."""
        async with administering(self._engine, caller) as admin:
            return await api_keys.list_api_keys(admin.connection, after, limit)

    async def rotate_api_key(
        self, caller: Caller, id: str, overlap: timedelta, expires: datetime | None
    ) -> tuple[ApiKey, str]:
        """Gives a key a new secret; returns the key and the secret.

        Raises:
            ForbiddenError: The key opens more than the caller may do.
            MissingError: The caller's tenant has no such key.
            StateError: It is revoked, or has ended.
        """
        secret, key = new_secret(), known("api_key", id)
        async with administering(self._engine, caller) as admin:
            before = await api_keys.get_api_key(admin.connection, key)
            admin.require_no_less(before.principal.role, before.scopes)
            after = await api_keys.rotate_api_key(
                admin.connection,
                tenant=admin.tenant,
                id=key,
                digest=digest(secret),
                prefix=prefix(secret),
                overlap=overlap,
                expires=expires,
            )
        return after, secret

    async def revoke_api_key(self, caller: Caller, id: str) -> ApiKey:
        """Revokes a key, the caller's own too.

        Raises:
            MissingError: The caller's tenant has no such key.
        """
        async with administering(self._engine, caller) as admin:
            return await api_keys.revoke_api_key(admin.connection, known("api_key", id))

    async def create_ban(self, caller: Caller, request: BanRequest) -> Ban:
        """Bans somebody, in place of the ban that they have.

        Raises:
            ForbiddenError: It is an owner, or to hold everywhere, and the caller may
                not do that.
            InvalidArgumentError: It is no e-mail address, or no domain.
            MissingError: There is no such principal or key.
        """
        subject, note = _subject(request), storable("note", request.note)
        async with administering(self._engine, caller) as admin:
            if not request.platform:
                return await bans.create_ban(
                    admin.connection,
                    tenant=admin.tenant,
                    subject=subject,
                    note=note,
                    expires=request.expires,
                    by_owner=caller.role == "owner",
                )
            await admin.require_platform()
        return await self._platform.create(subject, note, request.expires)

    async def list_bans(
        self, caller: Caller, after: Position | None, limit: int, *, platform: bool
    ) -> list[Ban]:
        """Returns the tenant's bans, or those of every tenant, newest first."""
        async with administering(self._engine, caller) as admin:
            if platform:
                await admin.require_platform()
            return await bans.list_bans(
                admin.connection, admin.tenant, after, limit, platform=platform
            )

    async def delete_ban(self, caller: Caller, id: str) -> None:
        """Lifts a ban.

        Raises:
            MissingError: The caller's tenant has no such ban.
        """
        ban = known("ban", id)
        async with administering(self._engine, caller) as admin:
            if await bans.delete_ban(admin.connection, admin.tenant, ban):
                return
            of_first = await api_keys.is_platform(admin.connection, admin.tenant)
        if not (of_first and await self._platform.delete(ban)):
            raise MissingError("ban", id)


async def _holder(admin: Administrator, request: KeyRequest) -> Principal:
    """Returns whose a key shall be: somebody's who is there, or a new service account's.

    Raises as `create_api_key` does.
    """
    if bool(request.role) == bool(request.principal):
        raise InvalidArgumentError("role", "is needed without principal, and not taken with it")
    if request.principal:
        principal = await get_principal(admin.connection, known("principal", request.principal))
        if principal.removed:
            raise MissingError("principal", request.principal)
        admin.require_no_less(principal.role, request.scopes)
        return principal
    return await new_service_account(admin, request.name, request.role, request.scopes)


async def new_service_account(
    admin: Administrator, name: str, role: str, scopes: Sequence[str] = ()
) -> Principal:
    """Makes a service account, with a role that the administrator may give.

    Raises:
        ForbiddenError: It would be more than they have. Where there is no owner, an
            admin makes the first.
    """
    is_owner = role == "owner"
    admin.require_no_less("admin" if is_owner else role, scopes)
    principal = await create_principal(
        admin.connection,
        tenant=admin.tenant,
        name=storable("name", name),
        role="viewer" if is_owner else role,
    )
    if not is_owner:
        return principal
    await set_role(
        admin.connection, tenant=admin.tenant, id=principal.id, caller=admin.principal, role=role
    )
    return await get_principal(admin.connection, principal.id)


def _subject(request: BanRequest) -> Subject:
    if request.kind in _KINDS:
        id = known(_KINDS[request.kind], request.value)
        return Subject(kind=request.kind, value=str(id))
    return subject_of(request.kind, storable(request.kind, request.value))
