"""The slots of running turns, kept in Redis."""

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from redis.asyncio import Redis

from turnpike.gatekeeper.model import RunningTurn
from turnpike.gatekeeper.scripts import Script, key, ms, redis_answers

SLOT_TTL = timedelta(seconds=10)
"""How long a slot lives without a heartbeat."""

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""How often replicas renew at least; so long they have to register again."""

RECEIPT_TIME = timedelta(milliseconds=1500)
"""How much longer holds have, whose receipts come with the second heartbeat."""

# The marker outlives what Postgres says of a tenant's last slot (25 s, see
# `read_standing` in the migrations): where it is missing though slots may be held,
# Redis lost its state.
MARKER_TTL = timedelta(seconds=40)
# A heartbeat is under way for no longer than this.
_RELEASED_TTL = timedelta(seconds=2)
_RECEIPT_HEARTBEATS = 5


class Slots:
    """The slots now held, of every tenant; see lua/leases.lua."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._renew = Script("renew_slots")
        self._release = Script("release_slot")
        self._seen: dict[UUID, tuple[float, int]] = {}

    async def renew(self, turns: Mapping[UUID, Sequence[RunningTurn]]) -> list[UUID]:
        """Renews the slots of each tenant's turns, or takes them again if they were lost.

        Returns the turns whose holds are not known. One round trip, however many
        tenants there are.

        Raises:
            RedisAwayError: Redis is away.
        """
        times = [ms(SLOT_TTL), ms(HEARTBEAT_INTERVAL), ms(MARKER_TTL)]
        calls = [
            (
                [key(tenant, "slots"), key(tenant, "marker"), key(tenant, "released")],
                [
                    *times,
                    key(tenant, "slots", ""),
                    key(tenant, "turn", ""),
                    _RECEIPT_HEARTBEATS,
                    *(
                        part
                        for turn in running
                        for part in (str(turn.turn), str(turn.principal), turn.segment)
                    ),
                ],
            )
            for tenant, running in turns.items()
        ]
        async with redis_answers():
            answers = await self._renew.run_each(self._redis, calls)
        missing: list[UUID] = []
        for tenant, answer in zip(turns, answers, strict=True):
            self.see(tenant, answer[0])
            missing += [UUID(turn.decode()) for turn in answer[1:]]
        return missing

    async def release(self, tenant: UUID, turn: UUID, segment: int, *, settled: bool) -> None:
        """Gives the slots of a segment back, and what it holds if all is settled.

        Does nothing if they are gone already, or a later segment's.

        Raises:
            RedisAwayError: Redis is away.
        """
        keys = [
            key(tenant, "slots"),
            key(tenant, "released"),
            key(tenant, "account"),
            key(tenant, "turn", turn),
        ]
        args = [str(turn), ms(_RELEASED_TTL), segment, int(settled), key(tenant, "slots", "")]
        async with redis_answers():
            taken = await self._release.run(self._redis, keys, args)
        self.see(tenant, taken)

    def taken(self) -> int:
        """Returns how many slots are taken, as far as this replica has seen lately."""
        oldest = time.monotonic() - SLOT_TTL.total_seconds()
        self._seen = {tenant: seen for tenant, seen in self._seen.items() if seen[0] > oldest}
        return sum(count for _, count in self._seen.values())

    def see(self, tenant: UUID, taken: int) -> None:
        """Notes how many slots of a tenant are taken."""
        self._seen[tenant] = (time.monotonic(), taken)
