"""What services ask of gatekeeper, over a real channel."""

import grpc
import pytest

from tests.rpc.keys import signer, verifier
from tests.rpc.peer import Peer, served
from turnpike.rpc.channel import open_channel
from turnpike.rpc.errors import RemoteError
from turnpike.rpc.gatekeeper import AUTHENTICATE, Gatekeeper


async def test_a_key_is_exchanged_without_a_credential():
    async with served(Peer()) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        exchanged = await Gatekeeper(channel, signer("embedding")).exchange("tpk_x")

    assert exchanged.token == "open"
    assert exchanged.expires.tzinfo is not None


async def test_an_unanswered_exchange_is_a_remote_error():
    channel = open_channel("ipv4:127.0.0.1:1", idempotent=[AUTHENTICATE])
    with pytest.raises(RemoteError) as caught:
        await Gatekeeper(channel, signer("embedding")).exchange("tpk_x")
    await channel.close()

    assert caught.value.code is grpc.StatusCode.UNAVAILABLE


async def test_revocations_are_watched_by_the_service_s_identity():
    peer = Peer()
    async with served(peer) as port, open_channel(f"ipv4:127.0.0.1:{port}") as channel:
        gatekeeper = Gatekeeper(channel, signer("tool-registry"))
        batch = await anext(aiter(gatekeeper.watch_revocations(0)))

    assert (batch.revocations, batch.last_id) == ([], 1)
    token = peer.metadata["authorization"].removeprefix("Bearer ")
    assert verifier().verify(token).caller.service == "tool-registry"
