"""The gateway's composition root: the only module that knows every other."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc

from turnpike.blobs.opening import folder_of
from turnpike.gateway.app import Channels, make_app
from turnpike.gateway.authentication import Authentication
from turnpike.gateway.calls import Patience
from turnpike.gateway.readiness import Readiness
from turnpike.gateway.routes.mcp.endpoint import McpRoute
from turnpike.gateway.routes.mcp.resource import ProtectedResource
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.seals import Seal
from turnpike.gateway.serving import HttpServer, bind, stop_when_signalled
from turnpike.gateway.sessions import Sessions, StreamTokens
from turnpike.gateway.settings import Settings
from turnpike.gateway.sign_in_states import SignInStates
from turnpike.gateway.streams import Streams
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials
from turnpike.rpc.gatekeeper import AUTHENTICATE, watched_credentials
from turnpike.rpc.identity import Signer
from turnpike.rpc.process import metrics_served, start
from turnpike.rpc.tls import Tls


@dataclass(frozen=True, slots=True)
class Gateway:
    """The parts of a gateway that are told to start and to stop."""

    server: HttpServer
    streams: Streams
    readiness: Readiness


async def serve(settings: Settings) -> None:
    """Serves the gateway until told to stop, then closes what it opened."""
    async with (
        metrics_served(settings.metrics_address),
        opened(settings) as gateway,
        asyncio.TaskGroup() as tasks,
    ):
        stopping = tasks.create_task(
            stop_when_signalled(
                gateway.server, gateway.streams, gateway.readiness, settings.drain_time
            )
        )
        await gateway.server.serve_on(bind(settings.listen_address, settings.stall_time))
        stopping.cancel()


@asynccontextmanager
async def opened(settings: Settings) -> AsyncGenerator[Gateway]:
    """Gives a gateway that is not serving yet, and what it needs while inside."""
    async with AsyncExitStack() as resources:
        channels = await _open_channels(settings, resources)
        watched = watched_credentials(channels.gatekeeper, settings)
        credentials = await resources.enter_async_context(watched)
        entrance = _entrance(settings, credentials)
        mcp = McpRoute(
            entrance,
            channels.agent_runtime,
            channels.tool_registry,
            settings.cors_origins,
            ProtectedResource(settings.mcp_issuers, settings.public_url),
        )
        resources.push_async_callback(mcp.close)
        yield _assembled(settings, channels, entrance, mcp)


async def _open_channels(settings: Settings, resources: AsyncExitStack) -> Channels:
    tls = Tls(authority=settings.tls_authority)

    async def open_to(target: str, *idempotent: str) -> grpc.aio.Channel:
        channel = open_channel(target, tls=tls, idempotent=idempotent)
        return await resources.enter_async_context(channel)

    return Channels(
        gatekeeper=await open_to(settings.gatekeeper_target, AUTHENTICATE),
        agent_runtime=await open_to(settings.agent_runtime_target),
        tool_registry=await open_to(settings.tool_registry_target),
        embedding=await open_to(settings.embedding_target),
    )


def _entrance(settings: Settings, credentials: Credentials) -> Entrance:
    patience = Patience(answer=settings.call_deadline, loss=settings.loss_patience)
    return Entrance(_authentication(settings, credentials), patience, settings.max_body_bytes)


def _assembled(
    settings: Settings, channels: Channels, entrance: Entrance, mcp: McpRoute
) -> Gateway:
    streams = Streams(heartbeat=settings.heartbeat_interval, stall=settings.stall_time)
    readiness = Readiness(
        {
            "gatekeeper": channels.gatekeeper,
            "agent-runtime": channels.agent_runtime,
            "tool-registry": channels.tool_registry,
            "embedding": channels.embedding,
        }
    )
    app = make_app(
        channels,
        entrance,
        streams,
        readiness,
        mcp,
        cors_origins=settings.cors_origins,
        secure_cookies=settings.secure_cookies,
        blob_folder=folder_of(settings),
        sign_in_states=SignInStates(Seal(settings.signing_key, "sign-in")),
        public_url=settings.public_url,
    )
    server = HttpServer(
        app,
        grace_time=settings.grace_time,
        trusted_proxies=settings.trusted_proxies,
        certificate=settings.tls_certificate,
        key=settings.tls_key,
    )
    return Gateway(server, streams, readiness)


def _authentication(settings: Settings, credentials: Credentials) -> Authentication:
    seed = settings.signing_key
    return Authentication(
        credentials,
        Signer(settings.service(), seed),
        Sessions(Seal(seed, "session"), settings.session_lifetime),
        StreamTokens(Seal(seed, "stream token"), settings.stream_token_lifetime),
    )


def main() -> None:
    """Runs the gateway from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
