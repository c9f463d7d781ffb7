"""Agent-runtime's composition root: with `servicers` and `sources` all that knows every package."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count

import grpc

from turnpike.agent_runtime.agents.versions import Versions
from turnpike.agent_runtime.approvals.expiring import Expiry
from turnpike.agent_runtime.audit.forgetting import forget_forever as forget_audit
from turnpike.agent_runtime.audit.sealing import Sealer
from turnpike.agent_runtime.callers import require_person
from turnpike.agent_runtime.completions.admission import Door
from turnpike.agent_runtime.completions.asking import Completions
from turnpike.agent_runtime.completions.asking import Patience as CompletionPatience
from turnpike.agent_runtime.completions.servicer import CompletionServicer
from turnpike.agent_runtime.completions.settling import Settlement
from turnpike.agent_runtime.completions.store import OutboxStore
from turnpike.agent_runtime.connections import Peers, Stores, open_peers, open_stores
from turnpike.agent_runtime.events.batches import Batches
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.files.sweeping import sweep_forever as sweep_files
from turnpike.agent_runtime.filters.reading import Screens
from turnpike.agent_runtime.models.cooldowns import Cooldowns
from turnpike.agent_runtime.models.outages import Outages
from turnpike.agent_runtime.models.planning import Planner
from turnpike.agent_runtime.models.routing import Ways
from turnpike.agent_runtime.policy.judging import Judges
from turnpike.agent_runtime.prefix.clients import ClientSessions
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.store import PrefixStore
from turnpike.agent_runtime.prefix.sweeping import sweep_forever as sweep_ledgers
from turnpike.agent_runtime.servicers import SERVICES, add_servicers
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.skills.pinning import skill_pins
from turnpike.agent_runtime.sources import (
    choices,
    contents_source,
    model_source,
    new_files,
    new_models,
)
from turnpike.agent_runtime.threads.forgetting import sweep_forever as sweep_turns
from turnpike.agent_runtime.threads.sweeping import sweep_forever as sweep_threads
from turnpike.agent_runtime.turns.admission import Admission
from turnpike.agent_runtime.turns.asking import Patience
from turnpike.agent_runtime.turns.choosing import Sources
from turnpike.agent_runtime.turns.ownership import Owner
from turnpike.agent_runtime.turns.parts import Parts
from turnpike.agent_runtime.turns.settling import Settler
from turnpike.agent_runtime.turns.signals import Signals
from turnpike.agent_runtime.turns.store import TurnStore
from turnpike.agent_runtime.turns.titling import Titles
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import (
    add_CompletionServiceServicer_to_server,
)
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.blobs.model import BlobError, BlobRangeError, BlobsUnavailableError
from turnpike.database.failures import is_unavailable
from turnpike.database.replicas import Lease
from turnpike.rpc.credentials import Credentials
from turnpike.rpc.errors import InvalidArgumentError, ServiceError, UnavailableError
from turnpike.rpc.gatekeeper import watched_credentials
from turnpike.rpc.identity import Caller
from turnpike.rpc.process import metrics_served, start
from turnpike.rpc.server import listen, new_server, serve_until_signalled

# A NUL, in a text or in JSON.
_NO_TEXT = {"22021", "22P05"}


@dataclass(frozen=True, slots=True)
class Replica:
    """A server with everything that it serves, and who runs its turns."""

    server: grpc.aio.Server
    owner: Owner
    tails: Tails
    clients: ClientSessions
    cooldowns: Cooldowns

    async def drain(self, grace: timedelta) -> None:
        """Hands on what it runs, then sends those who watch it to where that is."""
        await self.owner.drain(grace)
        self.tails.close()


async def serve(settings: Settings) -> None:
    """Serves agent-runtime until told to stop, then closes what it opened."""
    async with open_replica(settings) as replica, metrics_served(settings.metrics_address):
        listen(replica.server, settings.listen_address, settings.tls)
        draining = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            waiting = group.create_task(_drain_when_told(draining, replica, settings.drain_time))
            await serve_until_signalled(
                replica.server,
                drain_time=settings.drain_time,
                grace_time=settings.grace_time,
                services=SERVICES,
                draining=draining,
            )
            if not draining.is_set():
                waiting.cancel()


@asynccontextmanager
async def open_replica(settings: Settings) -> AsyncGenerator[Replica]:
    """Opens a server with everything that it serves, but not its ports.

    Raises:
        StartError: Postgres does not answer.
    """
    async with (
        open_stores(settings) as stores,
        open_peers(settings) as peers,
        watched_credentials(peers.gatekeeper, settings) as credentials,
    ):
        log, batches = TurnLog(stores.redis), Batches(stores.pool, stores.system_pool)
        tails = Tails(log, batches)
        clients = ClientSessions(PrefixStore(stores.pool), _salt(settings))
        ways = Ways(
            models=new_models(settings, stores),
            clients=peers.clients,
            cooldowns=Cooldowns(stores.redis),
            outages=Outages(stores.system_pool),
            turns=count(),
        )
        owner = _new_owner(settings, stores, peers, log, tails, ways)
        server = new_server(
            settings.service(),
            authenticate=_authenticate(credentials),
            until_revoked=credentials.until_revoked,
            translate=_translate,
        )
        add_servicers(server, settings, stores, peers, batches=batches, tails=tails, owner=owner)
        completions = _new_completions(settings, stores, peers, owner, clients)
        add_CompletionServiceServicer_to_server(CompletionServicer(completions), server)
        works = (
            owner.serve(),
            tails.follow(),
            tails.poll(),
            clients.serve(),
            completions.serve(),
            ways.cooldowns.follow(),
            Sealer(stores.system_engine).serve(),
            forget_audit(stores.system_engine, settings.audit_retention),
            sweep_ledgers(stores.system_engine, settings.prefix_tenant_bytes),
            sweep_threads(stores.system_engine),
            sweep_turns(stores.system_engine, peers.forgetting.forget),
            sweep_files(stores.system_engine, stores.blobs),
        )
        async with asyncio.TaskGroup() as group:
            background = [group.create_task(work) for work in works]
            await owner.ready.wait()
            yield Replica(server, owner, tails, clients, ways.cooldowns)
            for task in background:
                task.cancel()


def _new_owner(
    settings: Settings, stores: Stores, peers: Peers, log: TurnLog, tails: Tails, ways: Ways
) -> Owner:
    lease = Lease(settings.replica_name, settings.listen_address)
    admission = Admission(GatekeeperServiceStub(peers.gatekeeper))
    settler = Settler(stores.system_pool, admission)
    planner = Planner(ways, patience=settings.planner_timeout)
    titles = Titles(planner, stores.pool, settler.owed)
    return Owner(
        lease=lease,
        system_engine=stores.system_engine,
        parts=Parts(
            log=log,
            tails=tails,
            store=TurnStore(stores.pool),
            registry=peers.registry,
            search=peers.search,
            judges=Judges(stores.pool),
            ways=ways,
            patience=_patience(settings),
            may_open=lease.is_fresh,
            titles=titles,
            owed=settler.owed,
        ),
        sources=Sources(
            engine=stores.engine,
            log=log,
            registry=peers.registry,
            version=Versions(stores.engine).get,
            models=model_source(ways.models),
            contents=contents_source(new_files(settings, stores)),
            skills=skill_pins(stores.pool),
            ledger=PrefixStore(stores.pool),
            salt=_salt(settings),
            tool_search_percent=settings.tool_search_percent,
        ),
        admission=admission,
        settler=settler,
        signals=Signals(stores.redis),
        expiry=Expiry(stores.engine, peers.registry.has_signed_in),
        capacity=settings.capacity,
    )


def _new_completions(
    settings: Settings, stores: Stores, peers: Peers, owner: Owner, clients: ClientSessions
) -> Completions:
    outbox = OutboxStore(stores.pool)
    door = Door(GatekeeperServiceStub(peers.gatekeeper))
    return Completions(
        replica=owner.lease.id,
        door=door,
        choices=choices(new_models(settings, stores), Screens(stores.pool), count()),
        client=peers.clients.client,
        sessions=clients,
        settlement=lambda admitted: Settlement(outbox, door, admitted, owner.owed),
        patience=CompletionPatience(first=settings.first_chunk_timeout, idle=settings.idle_timeout),
    )


async def _drain_when_told(draining: asyncio.Event, replica: Replica, grace: timedelta) -> None:
    await draining.wait()
    await replica.drain(grace)


def _authenticate(credentials: Credentials) -> Callable[[str], Awaitable[Caller]]:
    async def caller(credential: str) -> Caller:
        return require_person(await credentials.caller(credential))

    return caller


def _patience(settings: Settings) -> Patience:
    return Patience(
        first_chunk=settings.first_chunk_timeout,
        idle=settings.idle_timeout,
        tool=settings.tool_timeout,
        turn=settings.turn_timeout,
        slot=settings.slot_patience,
    )


def _salt(settings: Settings) -> Salt:
    # The key that seals now: with the next one every cache is cold, once.
    return Salt(next(iter(settings.secret_keys.values())))


def _translate(error: Exception) -> ServiceError | None:
    if is_unavailable(error):
        return UnavailableError("the database does not answer; try again")
    if isinstance(error, BlobError):
        return _blob_error(error)
    states = {getattr(each, "sqlstate", "") for each in (error, error.__cause__)}
    if states & _NO_TEXT:
        return InvalidArgumentError("request", "a text holds a character that none may hold")
    return None


def _blob_error(error: BlobError) -> ServiceError:
    if isinstance(error, BlobRangeError):
        return InvalidArgumentError("start", str(error))
    if isinstance(error, BlobsUnavailableError):
        return UnavailableError("files cannot be kept or read now; try again")
    return UnavailableError("the file's bytes cannot be read")


def main() -> None:
    """Runs agent-runtime from the command line."""
    start(Settings, serve)


if __name__ == "__main__":
    main()
