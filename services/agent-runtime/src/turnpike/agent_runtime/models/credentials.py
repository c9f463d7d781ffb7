"""Whose credential a model is asked with: a person's own, the tenant's, the platform's."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from turnpike.agent_runtime.models.scopes import PERSON, PLATFORM, TENANT
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED

OFF = "OFF"
PREFERRED = "PREFERRED"
REQUIRED = "REQUIRED"

_NEAREST_FIRST = (PERSON, TENANT, PLATFORM)


@dataclass(frozen=True, slots=True, kw_only=True)
class Credential:
    """One credential that a model may be asked with."""

    sealed: str = field(repr=False)
    """Empty where none is shown."""

    scope: str
    """Whose it is."""

    of_model: bool
    """Whether it is the configuration's own, and not a key for the provider."""

    rank: int
    """Those of a lower rank are asked first; those of one rank take turns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What there is to ask one model with."""

    provider: str
    base_url: str
    scope: str
    """Whose the model's configuration is."""

    sealed: str = field(repr=False)
    """The configuration's own credential; empty for none."""

    own: Sequence[tuple[str, str]] = field(repr=False)
    """Keys that fit the endpoint: whose, and sealed."""

    person_mode: str = ""
    """`OFF`, `PREFERRED`, `REQUIRED`; empty is `PREFERRED`."""

    tenant_mode: str = ""


def usable(keys: Keys) -> list[Credential]:
    """Returns the credentials that a model may be asked with, the nearest first.

    What a mode requires is where it ends: whatever becomes of those before, nothing that comes
    after is in the list. None at all: a key of one's own is required, and there is none.
    """
    found: list[Credential] = []
    for rank, scope in enumerate(_NEAREST_FIRST):
        mode = {PERSON: keys.person_mode, TENANT: keys.tenant_mode}.get(scope, "")
        if mode != OFF and _may_lend(scope, keys.scope):
            found += [
                Credential(sealed=sealed, scope=scope, of_model=False, rank=rank)
                for whose, sealed in keys.own
                if whose == scope
            ]
        if keys.scope == scope and (keys.sealed or keys.base_url or not found):
            found.append(Credential(sealed=keys.sealed, scope=scope, of_model=True, rank=rank))
        # The built-in model is asked nowhere, and with nothing.
        if mode == REQUIRED and keys.provider != SCRIPTED:
            break
    return found


def _may_lend(scope: str, of_model: str) -> bool:
    # A person's own configuration is theirs to write: the tenant's keys are not for it.
    return not (scope == TENANT and of_model == PERSON)
