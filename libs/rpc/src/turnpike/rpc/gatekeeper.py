"""What every service asks of gatekeeper, over gRPC."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC

import grpc

from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2 import (
    AuthenticateRequest,
    WatchRevocationsRequest,
    WatchRevocationsResponse,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.rpc.credentials import Credentials, Exchanged, Revocation, Revocations
from turnpike.rpc.errors import answered, from_rpc_error
from turnpike.rpc.identity import Signer
from turnpike.rpc.settings import ServiceSettings
from turnpike.rpc.verifier import Verifier

AUTHENTICATE = "/turnpike.api.gatekeeper.v1.GatekeeperService/Authenticate"
"""The one method that needs no credential, and may be called again when unanswered."""

_AUTHENTICATE_SECONDS = 5.0


class Gatekeeper:
    """Gatekeeper, as a service's `Credentials` need it."""

    def __init__(self, channel: grpc.aio.Channel, signer: Signer) -> None:
        self._stub = GatekeeperServiceStub(channel)
        self._signer = signer

    async def exchange(self, credential: str) -> Exchanged:
        """Exchanges a key, or an issuer's token, for one of ours, or raises `RemoteError`."""
        request = AuthenticateRequest(credential=credential)
        response = await answered(self._stub.Authenticate(request, timeout=_AUTHENTICATE_SECONDS))
        return Exchanged(token=response.token, expires=response.expire_time.ToDatetime(UTC))

    async def watch_revocations(self, after: int) -> AsyncIterator[Revocations]:
        """Yields revocations after `after` until the stream breaks, with a `RemoteError`."""
        stream = self._stub.WatchRevocations(
            WatchRevocationsRequest(after=after), metadata=self._signer.metadata_for()
        )
        try:
            async for response in stream:
                yield _batch(response)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from error
        finally:
            stream.cancel()


@asynccontextmanager
async def watched_credentials(
    channel: grpc.aio.Channel, settings: ServiceSettings
) -> AsyncGenerator[Credentials]:
    """Gives the callers behind credentials, and follows revocations while the block runs.

    Args:
        channel: To gatekeeper.
        settings: Of the service that asks.
    """
    gatekeeper = Gatekeeper(channel, Signer(settings.service(), settings.signing_key))
    credentials = Credentials(Verifier(settings.trusted_keys), gatekeeper.exchange)
    async with asyncio.TaskGroup() as tasks:
        watch = tasks.create_task(credentials.watch_revocations(gatekeeper.watch_revocations))
        yield credentials
        watch.cancel()


def _batch(response: WatchRevocationsResponse) -> Revocations:
    return Revocations(
        revocations=[
            Revocation(
                tenant=each.tenant,
                principal=each.principal,
                key=each.key,
                revoked=each.revoke_time.ToDatetime(UTC),
                generation=each.generation,
            )
            for each in response.revocations
        ],
        last_id=response.last_id,
    )
