"""For whom something is: everybody, one tenant, or one person in it."""

from dataclasses import dataclass
from uuid import UUID

PLATFORM = "PLATFORM"
TENANT = "TENANT"
PERSON = "PERSON"

NOBODY = UUID(int=0)
"""Stands where a person would, of what is no single person's."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where something is kept: a person asks, and names a scope."""

    tenant: UUID
    principal: UUID
    scope: str = ""

    @property
    def owner(self) -> UUID:
        """The principal in the key of a row: the person's own, or nobody's."""
        return self.principal if self.scope == PERSON else NOBODY
