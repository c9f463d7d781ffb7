"""What a key of one's own is, without any I/O."""

from dataclasses import dataclass, field, replace
from datetime import datetime

from turnpike.agent_runtime.models.scopes import PERSON, TENANT


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderKey:
    """A row of `provider_keys`; the secret is sealed."""

    name: str
    scope: str
    provider: str
    base_url: str
    """Without a slash at its end; empty for the provider's own endpoint."""

    sealed_api_key: str = field(default="", repr=False)
    etag: str = ""
    created: datetime | None = None
    updated: datetime | None = None

    def means_the_same(self, other: "ProviderKey") -> bool:
        """Says whether both are for the same endpoint; secrets are compared by the caller."""
        return replace(self, sealed_api_key="", etag="", created=None, updated=None) == replace(
            other, sealed_api_key="", etag="", created=None, updated=None
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """Whether keys of one's own are used."""

    mode: str
    """`OFF`, `PREFERRED` or `REQUIRED`; empty where nobody said."""

    etag: str = ""
    updated: datetime | None = None


UNSAID = Mode(mode="")


def rank_of(key: ProviderKey) -> int:
    """Returns how near a key is, as lists order those of one name."""
    return {PERSON: 1, TENANT: 2}[key.scope]
