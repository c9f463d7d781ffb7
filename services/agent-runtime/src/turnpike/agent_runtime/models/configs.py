"""What may be asked of models, ready to be called."""

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.models.credentials import Credential, Keys, usable
from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.prompt import Model, ModelError, Prices
from turnpike.agent_runtime.models.scopes import PLATFORM
from turnpike.agent_runtime.models.scripted import PROVIDER as SCRIPTED
from turnpike.database.envelope import Envelope, SealBrokenError

logger = logging.getLogger(__name__)

# On the way to each first word: one round trip, by the driver's pool.
_READ = "SELECT *, counting_policy($1) AS policy FROM read_ways($1, $2, $3, $4, $5, $6)"
_PIN = "SELECT pin_thread($1, $2, $3, $4, $5)"

_FRESH_SECONDS = 1.0

# The built-in model asks nobody who is paid: a price that is known.
_NOTHING = Prices(input=0, output=0, cached=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What somebody wants to ask."""

    tenant: UUID
    principal: UUID
    name: str
    """A model's, or a pool's; empty of the planner."""

    role: str = "chat"
    turn: UUID | None = None
    """Keeps to the versions that it began with."""

    thread: UUID | None = None
    """Is pinned to one of a pool's members."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One model that may be asked, by one credential."""

    model: Model
    weight: int = 1
    credential: str
    """Stands for the endpoint and the credential, and says neither."""

    rank: int = 0
    """Of one model the credentials of a lower rank are asked first; those of one take turns."""

    quotas: tuple[str, ...]
    """What rests when the provider says "too many requests"; the first is its very own."""

    @property
    def id(self) -> str:
        """Stands for the model by this credential."""
        return self.quotas[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Everything that may be asked, and which of it the thread is pinned to."""

    pool: str
    """Empty where there is no choice."""

    pinned: str
    candidates: tuple[Candidate, ...]
    pinned_keys: Mapping[str, str] = field(default_factory=dict[str, str])
    """Which candidate of a model the thread is pinned to, where it has several credentials."""

    policy: UUID | None = None
    """The version of the tenant's policy, whose filters what is said passes."""

    read_at: float = field(default_factory=time.monotonic)

    @property
    def blind(self) -> str:
        """The name of a model of it that takes no images; empty when all do."""
        return next((each.model.name for each in self.candidates if not each.model.sees), "")

    @property
    def is_fresh(self) -> bool:
        """Whether it may still be gone by: what is taken back reaches its holders so soon."""
        return time.monotonic() - self.read_at < _FRESH_SECONDS


class Models:
    """Reads models with their credentials, anew at each call."""

    def __init__(self, pool: asyncpg.Pool, envelope: Envelope, fingerprints: Fingerprints) -> None:
        self._pool = pool
        self._envelope = envelope
        self._fingerprints = fingerprints

    async def choice(self, wanted: Wanted) -> Choice | None:
        """Returns what may be asked; None when there is nothing of that name.

        Raises:
            ModelError: No credential can be opened: the key that sealed them is gone; or a key
                of one's own is required, and there is none.
        """
        rows = await self._pool.fetch(
            _READ,
            wanted.tenant,
            wanted.principal,
            wanted.turn,
            wanted.thread,
            wanted.name,
            wanted.role,
        )
        if not rows:
            return None
        candidates: list[Candidate] = []
        failure: ModelError | None = None
        for row in rows:
            try:
                candidates.extend(self._candidates(wanted, row))
            except ModelError as error:
                failure = error
        if failure is not None and not candidates:
            raise failure
        return Choice(
            pool=rows[0]["pool"],
            pinned=rows[0]["pinned"],
            candidates=tuple(candidates),
            pinned_keys={row["name"]: row["pinned_key"] for row in rows},
            policy=rows[0]["policy"],
        )

    async def pin(self, wanted: Wanted, pool: str, member: str, *, instead_of: str) -> str:
        """Pins the thread to a pool's member; returns the pin that stands."""
        return await self._pool.fetchval(
            _PIN, wanted.tenant, wanted.thread, pool, member, instead_of
        )

    async def pin_key(self, wanted: Wanted, candidate: Candidate, *, instead_of: str) -> str:
        """Pins the thread to a model's credential, whose caches it has; returns what stands."""
        return await self.pin(
            wanted, f"key of {candidate.model.name}", candidate.id, instead_of=instead_of
        )

    def _candidates(self, wanted: Wanted, row: Any) -> list[Candidate]:
        """Returns a model with each credential that can be opened.

        What cannot be opened is passed over as if it had failed: never is a credential asked
        that the modes do not allow.
        """
        credentials = usable(_keys(row))
        if not credentials:
            message = "a key of one's own is required for this model's provider"
            raise ModelError("OWN_KEY_REQUIRED", message, transient=False)
        found: list[Candidate] = []
        broken: ModelError | None = None
        for credential in credentials:
            # What the platform sealed is bound to the tenant that operates it.
            owner = row["owner"] if credential.of_model else wanted.tenant
            try:
                key = self._opened(owner, credential.sealed)
            except ModelError as error:
                logger.warning("a credential of model %s cannot be opened", row["name"])
                broken = error
            else:
                model = _model(wanted.tenant, row, key, credential)
                found.append(self._of(model, owner, row["weight"], credential))
        if broken is not None and not found:
            raise broken
        return found

    def _of(self, model: Model, owner: UUID, weight: int, shown: Credential) -> Candidate:
        stands_for = self._fingerprints.of
        # By its owner, too: what one tenant's endpoint says must not let another's rest.
        credential = stands_for(str(owner), model.provider, model.base_url, model.api_key)
        quotas = [stands_for(credential, model.model)]
        if model.quota_pool:
            # Another's key has another account, and that another quota.
            account = "" if shown.of_model else credential
            quotas.append(stands_for("quota", str(owner), model.quota_pool, account))
        return Candidate(
            model=model,
            weight=weight,
            credential=credential,
            rank=shown.rank,
            quotas=tuple(quotas),
        )

    def _opened(self, tenant: UUID, sealed: str) -> str:
        try:
            return self._envelope.open(tenant, sealed) if sealed else ""
        except SealBrokenError as error:
            message = "the model's api_key cannot be opened: set it again"
            raise ModelError("MODEL_UNUSABLE", message, transient=False) from error


def _keys(row: Any) -> Keys:
    spec = orjson.loads(row["spec"])
    return Keys(
        provider=spec["provider"],
        base_url=spec["base_url"],
        scope=row["scope"],
        sealed=row["sealed_api_key"],
        own=[(each["scope"], each["sealed"]) for each in orjson.loads(row["own_keys"])],
        person_mode=row["person_mode"],
        tenant_mode=row["tenant_mode"],
    )


def _prices(spec: Mapping[str, Any], *, of_payer: bool) -> Prices | None:
    # What somebody wrote who does not pay says nothing of what is paid.
    if spec["prices"] and of_payer:
        return Prices(**spec["prices"])
    return _NOTHING if spec["provider"] == SCRIPTED else None


def _model(tenant: UUID, row: Any, key: str, shown: Credential) -> Model:
    spec = orjson.loads(row["spec"])
    return Model(
        tenant=tenant,
        name=row["name"],
        provider=spec["provider"],
        model=spec["model"],
        base_url=spec["base_url"],
        api_key=key,
        prices=_prices(spec, of_payer=shown.scope == row["scope"]),
        max_output=spec["max_output"],
        context_window=spec["context_window"],
        capabilities=frozenset(spec["capabilities"]),
        options=tuple(sorted(spec["options"].items())),
        quota_pool=spec["quota_pool"],
        version=row["version"],
        own_key=bool(key) and shown.scope != PLATFORM,
    )
