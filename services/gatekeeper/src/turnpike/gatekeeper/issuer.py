"""Issuers of tokens: what a tenant says of them, and what their tokens say."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

SUBJECT, NAME, EMAIL, ROLE, TENANT = CLAIMS = ("subject", "name", "email", "role", "tenant")
"""What is asked of a token's claims."""

DEFAULT_ALGORITHMS = ("RS256",)
USUAL_CLAIMS = {SUBJECT: "sub", NAME: "name", EMAIL: "email"}


@dataclass(frozen=True, slots=True, kw_only=True)
class IssuerSpec:
    """What a tenant says of an issuer."""

    issuer: str
    """The `iss` of its tokens."""

    audience: str
    jwks_url: str
    """Empty: where the issuer's own discovery says."""

    algorithms: tuple[str, ...]
    claims: Mapping[str, str]
    """Paths into a token's claims, by what is asked."""

    roles: Mapping[str, str]
    """The role that a value of the role claim means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Issuer:
    """An issuer that opens a tenant to people."""

    tenant: UUID
    name: str
    spec: IssuerSpec
    version: int
    created: datetime
    updated: datetime

    @property
    def etag(self) -> str:
        """Changes with each change."""
        return str(self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Who a token says that its bearer is."""

    tenant: str
    """Its tenant's id or name, where the token says so; else empty."""

    subject: str
    name: str
    email: str | None
    """Verified by the issuer, and normalised."""

    role: str | None
    """None where the issuer leaves roles to the tenant, or names none that is mapped."""

    expires: datetime
