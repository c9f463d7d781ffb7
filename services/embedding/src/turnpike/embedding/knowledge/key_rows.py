"""Under which keys the vectors of models are kept."""

from collections.abc import Mapping

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

# The first model of a name has the name for its key, and whatever was kept before there were
# keys is taken for its own. Two replicas that come up at once take turns.
_LOCK = text("LOCK TABLE model_keys IN SHARE ROW EXCLUSIVE MODE")
_REGISTER = text("""
INSERT INTO model_keys AS k (key, name, identity)
SELECT CASE WHEN EXISTS (SELECT FROM model_keys o WHERE o.name = CAST(:name AS text))
    THEN :name || '@' || left(encode(:identity, 'hex'), 12) ELSE :name END, :name, :identity
ON CONFLICT (name, identity) DO UPDATE SET started = clock_timestamp()
RETURNING key
""")
_NEWEST = text("SELECT DISTINCT ON (name) key FROM model_keys ORDER BY name, started DESC, key")


async def register(connection: AsyncConnection, identities: Mapping[str, bytes]) -> dict[str, str]:
    """Returns the keys of models by their names, in a system transaction.

    Args:
        connection: As the system role.
        identities: By the models' names, what their stored vectors depend on.
    """
    await connection.execute(_LOCK)
    return {
        name: (
            await connection.execute(_REGISTER, {"name": name, "identity": identity})
        ).scalar_one()
        for name, identity in identities.items()
    }


async def newest(connection: AsyncConnection) -> set[str]:
    """Returns, for each name, the key of the model that a replica came up with last."""
    return set((await connection.execute(_NEWEST)).scalars())
