"""Whether requests may be sent to this replica."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import grpc

# Without these no request can be served. The others' absence fails the
# requests that need them, and must not take the whole edge away.
_NEEDED = frozenset({"gatekeeper", "agent-runtime"})
_PATIENCE = 1.0


@dataclass(frozen=True, slots=True)
class Report:
    """What a probe finds."""

    ready: bool
    draining: bool
    peers: Mapping[str, bool]


class Readiness:
    """Whether requests may be sent to this replica."""

    def __init__(self, channels: Mapping[str, grpc.aio.Channel]) -> None:
        self._channels = channels
        self._draining = False

    def drain(self) -> None:
        """Says no from now on, so that load balancers stop sending."""
        self._draining = True

    async def report(self) -> Report:
        """Looks whether the peers can be reached; takes a second at most."""
        reached = await asyncio.gather(*(_reaches(each) for each in self._channels.values()))
        peers = dict(zip(self._channels, reached, strict=True))
        ready = not self._draining and all(peers.get(name, False) for name in _NEEDED)
        return Report(ready, self._draining, peers)


async def _reaches(channel: grpc.aio.Channel) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await channel.channel_ready()
    except TimeoutError:
        return False
    return True
