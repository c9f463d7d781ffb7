"""Tool-registry's composition root: the only module that knows every other."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import asyncpg
import grpc
from sqlalchemy.exc import ProgrammingError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.api.tool_registry.v1 import (
    artifact_service_pb2,
    connector_service_pb2,
    effect_service_pb2,
    resource_service_pb2,
    tool_call_service_pb2,
    variable_service_pb2,
)
from turnpike.api.tool_registry.v1.artifact_service_pb2_grpc import (
    add_ArtifactServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import (
    add_ConnectorServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import (
    add_EffectServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.resource_service_pb2_grpc import (
    add_ResourceServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.tool_call_service_pb2_grpc import (
    add_ToolCallServiceServicer_to_server,
)
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import (
    add_VariableServiceServicer_to_server,
)
from turnpike.blobs.model import BlobError, BlobRangeError, BlobStore
from turnpike.blobs.opening import open_store
from turnpike.database.engine import open_engine, open_pool
from turnpike.database.envelope import Envelope
from turnpike.database.failures import is_unavailable
from turnpike.database.replicas import Lease
from turnpike.rpc.channel import open_channel
from turnpike.rpc.credentials import Credentials as AcceptedCredentials
from turnpike.rpc.errors import InvalidArgumentError, ServiceError, UnavailableError
from turnpike.rpc.gatekeeper import AUTHENTICATE, watched_credentials
from turnpike.rpc.identity import Signer
from turnpike.rpc.process import StartError, metrics_served, start
from turnpike.rpc.server import listen, new_server, serve_until_signalled
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.administration import Administration
from turnpike.tool_registry.artifact_servicer import ArtifactServicer
from turnpike.tool_registry.built_in.knowledge import IDEMPOTENT as KNOWLEDGE_CALLS
from turnpike.tool_registry.built_in.knowledge import Knowledge
from turnpike.tool_registry.built_in.link import KnowledgeLink
from turnpike.tool_registry.call_servicer import ToolCallServicer
from turnpike.tool_registry.calls import Calls
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.connector_servicer import ConnectorServicer
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.credentials import Credentials
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.effect_servicer import EffectServicer
from turnpike.tool_registry.effects import Effects
from turnpike.tool_registry.execution import Executor
from turnpike.tool_registry.grants import Grants
from turnpike.tool_registry.ledger import Ledger
from turnpike.tool_registry.lending import Lending
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.listening import Listeners
from turnpike.tool_registry.model import KNOWLEDGE, Endpoint
from turnpike.tool_registry.oauth.grants import Client
from turnpike.tool_registry.preparation import Plans
from turnpike.tool_registry.reading import Reading
from turnpike.tool_registry.renewals import Renewals
from turnpike.tool_registry.resource_servicer import ResourceServicer
from turnpike.tool_registry.reviews import Reviews
from turnpike.tool_registry.revocations import Revocations
from turnpike.tool_registry.revoking import Revoking
from turnpike.tool_registry.rules import Rules
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.shelving import Shelf
from turnpike.tool_registry.sign_ins import SignIns
from turnpike.tool_registry.signing_in import SigningIn
from turnpike.tool_registry.upkeep import Upkeep
from turnpike.tool_registry.variable_administration import VariableAdministration
from turnpike.tool_registry.variable_servicer import VariableServicer
from turnpike.tool_registry.variables import Variables

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link

SERVICES = (
    artifact_service_pb2.DESCRIPTOR.services_by_name["ArtifactService"].full_name,
    connector_service_pb2.DESCRIPTOR.services_by_name["ConnectorService"].full_name,
    effect_service_pb2.DESCRIPTOR.services_by_name["EffectService"].full_name,
    resource_service_pb2.DESCRIPTOR.services_by_name["ResourceService"].full_name,
    tool_call_service_pb2.DESCRIPTOR.services_by_name["ToolCallService"].full_name,
    variable_service_pb2.DESCRIPTOR.services_by_name["VariableService"].full_name,
)


_NOWHERE = "dns:///embedding.invalid:1"


class _OverError(Exception):
    """Ends a group's tasks."""


@dataclass(frozen=True, slots=True)
class Replica:
    """A server with everything that it serves, and what must wind down with it."""

    server: grpc.aio.Server
    executor: Executor
    upkeep: Upkeep
    renewals: Renewals


async def serve(settings: Settings) -> None:
    """Serves tool-registry until told to stop, then closes what it opened."""
    async with open_replica(settings) as replica, metrics_served(settings.metrics_address):
        listen(replica.server, settings.listen_address, settings.tls)
        draining = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            # What nobody runs is from then on for the replicas that stay.
            waiting = tasks.create_task(replica.upkeep.stop_taking_after(draining))
            await serve_until_signalled(
                replica.server,
                drain_time=settings.drain_time,
                grace_time=settings.grace_time,
                services=SERVICES,
                draining=draining,
            )
            waiting.cancel()
        # Calls that nobody watches have the same grace. What is left then is
        # settled by whoever sees that this process is gone.
        await replica.executor.drained(settings.grace_time)
        await replica.renewals.drained(settings.grace_time)


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncGenerator[Replica]:
    """Opens a server with everything that it serves, but not its ports.

    Raises:
        StartError: Postgres does not answer, or is not migrated.
    """
    url, system_url = str(settings.database_url), str(settings.system_database_url)
    async with (
        open_channel(
            settings.gatekeeper_target, tls=settings.tls, idempotent=[AUTHENTICATE]
        ) as gatekeeper,
        watched_credentials(gatekeeper, settings) as keys,
        open_channel(
            settings.embedding_target or _NOWHERE, tls=settings.tls, idempotent=KNOWLEDGE_CALLS
        ) as embedding,
        _open_pool(url) as pool,
        _open_engine(url, pool_size=8) as engine,
        _open_engine(system_url, pool_size=2) as system,
        _open_blobs(settings) as blobs,
        _owned_tasks() as tasks,
    ):
        lease = Lease(settings.replica_name, settings.listen_address)
        envelope, ledger = Envelope(settings.secret_keys), Ledger(pool)
        connectors = Connectors(envelope)
        links = Links(tasks, _confines(settings), _built_in(settings, embedding))
        renewals = Renewals(
            engine=engine,
            grants=Grants(envelope),
            tasks=tasks,
            allow_private=settings.egress_allow_private,
        )
        access = Access(engine, connectors, renewals)
        discoveries = Discoveries(
            engine=engine, access=access, links=links, lease=lease, tasks=tasks
        )
        links.on_change = discoveries.note_change
        catalogue = Catalogue(
            pool=pool,
            engine=engine,
            discoveries=discoveries,
            connectors=connectors,
            has_knowledge=bool(settings.embedding_target),
        )
        plans = Plans(access)
        shelf = Shelf(engine, blobs, tenant_bytes=settings.artifact_tenant_bytes)
        executor = Executor(
            ledger=ledger,
            plans=plans,
            links=links,
            lease=lease,
            tasks=tasks,
            catalogue=catalogue,
            shelf=shelf,
        )
        listeners = Listeners(access=access, discoveries=discoveries, links=links, tasks=tasks)
        upkeep = Upkeep(
            engine=system,
            lease=lease,
            executor=executor,
            discoveries=discoveries,
            links=links,
            listeners=listeners,
        )
        await _begin(upkeep)
        tasks.create_task(upkeep.run())
        tasks.create_task(shelf.sweep_forever(system, settings.artifact_retention))
        revoking = Revoking(
            system=system,
            revocations=Revocations(envelope),
            allow_private=settings.egress_allow_private,
        )
        tasks.create_task(revoking.sweep_forever())

        administration = Administration(
            engine=engine,
            connectors=connectors,
            discoveries=discoveries,
            links=links,
            rules=Rules(settings.stdio_commands, settings.egress_allow_private),
        )
        lending = Lending(
            engine=engine,
            connectors=connectors,
            credentials=Credentials(envelope),
            discoveries=discoveries,
        )
        signing_in = SigningIn(
            engine=engine,
            connectors=connectors,
            credentials=Credentials(envelope),
            sign_ins=SignIns(envelope),
            discoveries=discoveries,
            tasks=tasks,
            clients=_clients(settings),
            redirects=settings.oauth_redirects,
            allow_private=settings.egress_allow_private,
        )
        calls = Calls(
            ledger=ledger,
            executor=executor,
            plans=plans,
            links=links,
            lease=lease,
            catalogue=catalogue,
        )
        servicer = ConnectorServicer(
            administration, catalogue, Reviews(engine), lending, signing_in
        )
        effects = EffectServicer(Effects(engine, calls))
        variables = VariableAdministration(
            engine=engine, variables=Variables(envelope), discoveries=discoveries
        )
        server = _new_server(keys, servicer, ToolCallServicer(calls, shelf), effects)
        add_VariableServiceServicer_to_server(VariableServicer(variables), server)
        add_ArtifactServiceServicer_to_server(ArtifactServicer(shelf), server)
        resources = ResourceServicer(Reading(access, links))
        add_ResourceServiceServicer_to_server(resources, server)
        yield Replica(server, executor, upkeep, renewals)


def _clients(settings: Settings) -> dict[str, Client]:
    return {
        issuer: Client(
            id=given.client_id,
            secret=given.client_secret.get_secret_value(),
            method=given.method
            or ("client_secret_basic" if given.client_secret.get_secret_value() else "none"),
        )
        for issuer, given in settings.oauth_clients.items()
    }


def _built_in(
    settings: Settings, embedding: grpc.aio.Channel
) -> Callable[[Key, Endpoint], "Link | None"]:
    knowledge = Knowledge(embedding)
    signer = Signer(settings.service(), settings.signing_key)

    def link(key: Key, endpoint: Endpoint) -> "Link | None":
        if endpoint.url != KNOWLEDGE:
            return None
        # As every link, but for the protocol that is not spoken.
        return cast("Link", KnowledgeLink(knowledge, signer, key.tenant, endpoint))

    return link


def _confines(settings: Settings) -> Confines:
    return Confines(
        allow_private=settings.egress_allow_private,
        environment=settings.stdio_environment,
        memory_bytes=settings.stdio_memory_bytes,
        cpu_seconds=settings.stdio_cpu_seconds,
    )


def _new_server(
    credentials: AcceptedCredentials,
    connectors: ConnectorServicer,
    calls: ToolCallServicer,
    effects: EffectServicer,
) -> grpc.aio.Server:
    server = new_server(
        Settings.service(),
        authenticate=credentials.caller,
        until_revoked=credentials.until_revoked,
        translate=_translate,
    )
    add_ConnectorServiceServicer_to_server(connectors, server)
    add_ToolCallServiceServicer_to_server(calls, server)
    add_EffectServiceServicer_to_server(effects, server)
    return server


async def _begin(upkeep: Upkeep) -> None:
    try:
        await upkeep.begin()
    except ProgrammingError as error:
        raise StartError("migrate first: python -m turnpike.tool_registry.migrate") from error
    except (SQLAlchemyError, OSError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error


@asynccontextmanager
async def _owned_tasks() -> AsyncGenerator[asyncio.TaskGroup]:
    """Gives a group for tasks that nobody waits for; they end with the block."""
    try:
        async with asyncio.TaskGroup() as tasks:
            yield tasks
            # A group has no other way to end all of its tasks.
            tasks.create_task(_end())
    except* _OverError:
        pass


async def _end() -> None:
    raise _OverError


@asynccontextmanager
async def _open_blobs(settings: Settings) -> AsyncGenerator[BlobStore]:
    store = open_store(settings, settings.service())
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def _open_engine(url: str, *, pool_size: int) -> AsyncGenerator[AsyncEngine]:
    engine = open_engine(url, pool_size=pool_size)
    try:
        yield engine
    finally:
        await engine.dispose()


@asynccontextmanager
async def _open_pool(url: str) -> AsyncGenerator[asyncpg.Pool]:
    try:
        pool = await open_pool(url, min_size=2, max_size=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise StartError(f"postgres does not let us in: {error}") from error
    try:
        yield pool
    finally:
        pool.terminate()


def _translate(error: Exception) -> ServiceError | None:
    if is_unavailable(error):
        return UnavailableError("the database does not answer; try again")
    if isinstance(error, BlobRangeError):
        return InvalidArgumentError("start", str(error))
    if isinstance(error, BlobError):
        return UnavailableError("the artifact cannot be read now; try again")
    if "22021" in (getattr(error, "sqlstate", ""), getattr(error.__cause__, "sqlstate", "")):
        return InvalidArgumentError("request", "a text holds a character that none may hold")
    return None


def main() -> None:
    """Runs tool-registry from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
