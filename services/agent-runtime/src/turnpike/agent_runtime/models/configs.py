"""What may be asked of models, ready to be called."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.prompt import Model, ModelError, Prices
from turnpike.agent_runtime.models.scopes import PLATFORM
from turnpike.database.envelope import Envelope, SealBrokenError

# On the way to each first word: one round trip, by the driver's pool.
_READ = "SELECT * FROM read_routes($1, $2, $3, $4, $5, $6)"
_PIN = "SELECT pin_thread($1, $2, $3, $4, $5)"


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

    last_resort: bool = False
    """Whether it is asked only when no other credential of the model is left."""

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


class Models:
    """Reads models with their credentials: fresh at each call, never kept."""

    def __init__(self, pool: asyncpg.Pool, envelope: Envelope, fingerprints: Fingerprints) -> None:
        self._pool = pool
        self._envelope = envelope
        self._fingerprints = fingerprints

    async def choice(self, wanted: Wanted) -> Choice | None:
        """Returns what may be asked; None when there is nothing of that name.

        Raises:
            ModelError: No credential can be opened: the key that sealed them is gone.
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
        broken: ModelError | None = None
        for row in rows:
            try:
                candidates.append(self._candidate(wanted, row))
            except ModelError as error:
                broken = error
        if broken is not None and not candidates:
            raise broken
        return Choice(pool=rows[0]["pool"], pinned=rows[0]["pinned"], candidates=tuple(candidates))

    async def pin(self, wanted: Wanted, pool: str, member: str, *, instead_of: str) -> str:
        """Pins the thread to a pool's member; returns the pin that stands."""
        return await self._pool.fetchval(
            _PIN, wanted.tenant, wanted.thread, pool, member, instead_of
        )

    def _candidate(self, wanted: Wanted, row: Any) -> Candidate:
        spec = orjson.loads(row["spec"])
        # What the platform sealed is bound to the tenant that operates it.
        key = self._opened(row["owner"], row["sealed_api_key"])
        own = bool(key) and row["scope"] != PLATFORM
        model = _model(wanted.tenant, row, spec, key, own=own)
        return self._of(model, row["owner"], row["weight"])

    def _of(self, model: Model, owner: UUID, weight: int) -> Candidate:
        stands_for = self._fingerprints.of
        # By its owner, too: what one tenant's endpoint says must not let another's rest.
        credential = stands_for(str(owner), model.provider, model.base_url, model.api_key)
        quotas = [stands_for(credential, model.model)]
        if model.quota_pool:
            quotas.append(stands_for("quota", str(owner), model.quota_pool))
        return Candidate(model=model, weight=weight, credential=credential, quotas=tuple(quotas))

    def _opened(self, tenant: UUID, sealed: str) -> str:
        try:
            return self._envelope.open(tenant, sealed) if sealed else ""
        except SealBrokenError as error:
            message = "the model's api_key cannot be opened: set it again"
            raise ModelError("MODEL_UNUSABLE", message, transient=False) from error


def _model(tenant: UUID, row: Any, spec: Any, key: str, *, own: bool) -> Model:
    return Model(
        tenant=tenant,
        name=row["name"],
        provider=spec["provider"],
        model=spec["model"],
        base_url=spec["base_url"],
        api_key=key,
        prices=Prices(**spec["prices"]) if spec["prices"] else None,
        max_output=spec["max_output"],
        context_window=spec["context_window"],
        capabilities=frozenset(spec["capabilities"]),
        options=tuple(sorted(spec["options"].items())),
        quota_pool=spec["quota_pool"],
        version=row["version"],
        own_key=own,
    )
