"""Who a tenant knows: its principals, and the issuers that vouch for them."""

from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.egress.addresses import AddressRefusedError, check_address
from turnpike.gatekeeper import issuers, principals
from turnpike.gatekeeper.administrators import (
    Administrator,
    Position,
    administering,
    known,
    storable,
)
from turnpike.gatekeeper.issuer import TENANT, Issuer, IssuerSpec
from turnpike.gatekeeper.model import MissingError, Principal
from turnpike.gatekeeper.tenancy import new_service_account
from turnpike.rpc.errors import EtagMismatchError, InvalidArgumentError
from turnpike.rpc.identity import Caller

CREATED, CHANGED, UNCHANGED = "created", "changed", "unchanged"


class Directory:
    """Administers principals and issuers on behalf of callers.

    Every method raises `ForbiddenError` when the caller is no admin, `BannedError`
    when it is banned, and `UnavailableError` when Postgres does not answer. What
    belongs to another tenant does not exist.
    """

    def __init__(self, engine: AsyncEngine, *, allow_private: bool) -> None:
        self._engine = engine
        self._allow_private = allow_private

    async def create_service_account(self, caller: Caller, name: str, role: str) -> Principal:
        """Makes a service account.

        Raises:
            ForbiddenError: Its role would be above the caller's.
        """
        async with administering(self._engine, caller) as admin:
            return await new_service_account(admin, name, role, admin.caller.scopes)

    async def get_principal(self, caller: Caller, id: str) -> Principal:
        """Returns a principal, or raises `MissingError`."""
        async with administering(self._engine, caller) as admin:
            return await principals.get_principal(admin.connection, known("principal", id))

    async def list_principals(
        self, caller: Caller, kind: str, after: Position | None, limit: int
    ) -> list[Principal]:
        """Returns principals that were not removed, newest first."""
        async with administering(self._engine, caller) as admin:
            return await principals.list_principals(admin.connection, kind, after, limit)

    async def update_principal(self, caller: Caller, id: str, *, name: str, role: str) -> Principal:
        """Changes a principal's name or role; what is empty stays.

        Raises:
            MissingError: There is no such principal, or it is removed.
            ForbiddenError: It is an owner, or would be, and the caller is none.
            StateError: It is the last owner.
        """
        principal = known("principal", id)
        async with administering(self._engine, caller) as admin:
            await principals.lock_principal(admin.connection, principal)
            if name:
                await principals.set_name(
                    admin.connection,
                    id=principal,
                    caller=admin.principal,
                    name=storable("name", name),
                )
            if role:
                await principals.set_role(
                    admin.connection,
                    tenant=admin.tenant,
                    id=principal,
                    caller=admin.principal,
                    role=role,
                )
            return await principals.get_principal(admin.connection, principal)

    async def remove_principal(self, caller: Caller, id: str) -> Principal:
        """Removes a principal and ends its keys; again does nothing.

        Raises as `update_principal` does.
        """
        principal = known("principal", id)
        async with administering(self._engine, caller) as admin:
            await principals.lock_principal(admin.connection, principal)
            await principals.remove_principal(
                admin.connection, tenant=admin.tenant, id=principal, caller=admin.principal
            )
            return await principals.get_principal(admin.connection, principal)

    async def create_issuer(
        self, caller: Caller, name: str, spec: IssuerSpec, *, validate_only: bool
    ) -> Issuer:
        """Creates an issuer.

        Raises:
            NameTakenError: The name, or its issuer and audience, are taken.
            InvalidArgumentError: It is not one that can be.
        """
        async with administering(self._engine, caller) as admin:
            await self._check(admin, spec)
            created = await issuers.create_issuer(admin.connection, admin.tenant, name, spec)
            if validate_only:
                await admin.connection.rollback()
            return created

    async def get_issuer(self, caller: Caller, name: str) -> Issuer:
        """Returns an issuer, or raises `MissingError`."""
        async with administering(self._engine, caller) as admin:
            return await issuers.get_issuer(admin.connection, admin.tenant, _stored_name(name))

    async def list_issuers(self, caller: Caller, after: str, limit: int) -> list[Issuer]:
        """Returns issuers by name, from behind `after` on."""
        async with administering(self._engine, caller) as admin:
            return await issuers.list_issuers(admin.connection, admin.tenant, after, limit)

    async def update_issuer(
        self,
        caller: Caller,
        name: str,
        spec: IssuerSpec,
        *,
        etag: str,
        allow_missing: bool,
        validate_only: bool,
    ) -> tuple[Issuer, str]:
        """Makes an issuer what the caller says; returns it, and what that changed.

        Raises:
            MissingError: There is none, and `allow_missing` is not set.
            EtagMismatchError: It was changed since the caller read it.
            NameTakenError: Its issuer and audience are taken.
            InvalidArgumentError: It is not one that can be.
        """
        async with administering(self._engine, caller) as admin:
            await self._check(admin, spec)
            where = (admin.connection, admin.tenant, name)
            stored = await issuers.find_issuer(*where, lock=True)
            if stored is None:
                if not allow_missing or etag:
                    raise MissingError("issuer", name)
                issuer, change = await issuers.create_issuer(*where, spec), CREATED
            else:
                await _check_change(admin, stored, etag)
                if stored.spec == spec:
                    return stored, UNCHANGED
                issuer, change = await issuers.replace_issuer(*where, spec), CHANGED
            if validate_only:
                await admin.connection.rollback()
            return issuer, change

    async def delete_issuer(self, caller: Caller, name: str, *, etag: str) -> None:
        """Deletes an issuer.

        Raises:
            MissingError: There is none.
            EtagMismatchError: It was changed since the caller read it.
        """
        async with administering(self._engine, caller) as admin:
            where = (admin.connection, admin.tenant, _stored_name(name))
            await _check_change(admin, await issuers.get_issuer(*where, lock=True), etag)
            await issuers.delete_issuer(*where)

    async def _check(self, admin: Administrator, spec: IssuerSpec) -> None:
        for field, text in (
            ("issuer.audience", spec.audience),
            *(("issuer.claims", each) for each in spec.claims.values()),
            *(("issuer.roles", each) for each in spec.roles),
        ):
            storable(field, text)
        self._check_url("issuer.issuer", spec.issuer)
        if spec.jwks_url:
            self._check_url("issuer.jwks_url", spec.jwks_url)
        if spec.claims.get(TENANT):
            await admin.require_platform()
        if admin.caller.role != "owner":
            await issuers.refuse_owners_issuer(admin.connection, spec.issuer)

    def _check_url(self, field: str, url: str) -> None:
        try:
            parts = urlsplit(storable(field, url))
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise InvalidArgumentError(field, f"is no URL: {error}") from error
        schemes = ("https", "http") if self._allow_private else ("https",)
        if parts.scheme not in schemes or not host or not url.isprintable() or " " in url:
            raise InvalidArgumentError(field, "must be an absolute https URL")
        if parts.username or parts.password or parts.fragment:
            raise InvalidArgumentError(field, "must not hold credentials or a fragment")
        try:
            check_address(host, allow_private=self._allow_private)
        except AddressRefusedError as error:
            raise InvalidArgumentError(field, str(error.strerror)) from error
        except ValueError:
            return  # A name: it is judged when it is connected to, by what it resolves to.


async def _check_change(admin: Administrator, stored: Issuer, etag: str) -> None:
    if etag and etag != stored.etag:
        raise EtagMismatchError(stored.etag)
    if admin.caller.role != "owner":
        await issuers.refuse_owners_issuer(admin.connection, stored.spec.issuer)


def _stored_name(name: str) -> str:
    if "\0" in name:
        raise MissingError("issuer", name.replace("\0", ""))
    return name
