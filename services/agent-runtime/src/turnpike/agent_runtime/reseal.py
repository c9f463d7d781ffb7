"""Seals anew what older keys sealed: `python -m turnpike.agent_runtime.reseal`.

Run it with the service's own settings once every replica has the new key in front; what it
reports as left cannot be opened by any key that is there. After it the old key may go.
"""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.settings import Settings
from turnpike.database.envelope import Envelope
from turnpike.database.resealing import Resealed, Sealed, reseal_and_exit, reseal_columns


def _of_tenant(tenant: UUID, *_: object) -> UUID:
    return tenant


COLUMNS = tuple(
    Sealed(
        table=table,
        column="sealed_api_key",
        key=("tenant", "principal", "name"),
        bound=_of_tenant,
    )
    for table in ("models", "provider_keys")
)


async def reseal(engine: AsyncEngine, envelope: Envelope) -> Resealed:
    """Seals all of agent-runtime's by the current key; see `reseal_columns`."""
    return await reseal_columns(engine, envelope, COLUMNS)


def main() -> None:
    """Seals anew from the command line."""
    settings = Settings()  # pyright: ignore[reportCallIssue] # read from the environment
    url = settings.system_database_url.get_secret_value()
    reseal_and_exit(url, settings.secret_keys, COLUMNS)


if __name__ == "__main__":
    main()
