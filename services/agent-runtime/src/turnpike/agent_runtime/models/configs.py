"""A tenant's models, ready to be called."""

from uuid import UUID

import asyncpg
import orjson

from turnpike.agent_runtime.models.prompt import Model, ModelError, Prices
from turnpike.database.envelope import Envelope, SealBrokenError

# On the way to each first word: one round trip, by the driver's pool.
_READ = "SELECT * FROM read_model($1, $2)"


class Models:
    """Reads models with their credentials: fresh at each call, never kept."""

    def __init__(self, pool: asyncpg.Pool, envelope: Envelope) -> None:
        self._pool = pool
        self._envelope = envelope

    async def get(self, tenant: UUID, name: str) -> Model | None:
        """Returns the model of that name, its credential opened; None when there is none.

        Raises:
            ModelError: The credential cannot be opened: the key that sealed it is gone.
        """
        row = await self._pool.fetchrow(_READ, tenant, name)
        if row is None:
            return None
        return Model(
            tenant=tenant,
            name=name,
            provider=row["provider"],
            model=row["model"],
            base_url=row["base_url"],
            api_key=self._opened(tenant, row["sealed_api_key"]),
            prices=Prices(**orjson.loads(row["prices"])) if row["prices"] else None,
        )

    def _opened(self, tenant: UUID, sealed: str) -> str:
        try:
            return self._envelope.open(tenant, sealed) if sealed else ""
        except SealBrokenError as error:
            message = "the model's api_key cannot be opened: set it again"
            raise ModelError("MODEL_UNUSABLE", message, transient=False) from error
