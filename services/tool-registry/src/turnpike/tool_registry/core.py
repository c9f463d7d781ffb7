"""What lists tools and runs calls; the rest is served around it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import grpc

from turnpike.database.envelope import Envelope
from turnpike.database.replicas import Lease
from turnpike.rpc.identity import Signer
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.built_in.knowledge import Knowledge
from turnpike.tool_registry.built_in.link import KnowledgeLink
from turnpike.tool_registry.calls import Calls
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.connectors import Connectors
from turnpike.tool_registry.discovery import Discoveries
from turnpike.tool_registry.execution import Executor
from turnpike.tool_registry.grants import Grants
from turnpike.tool_registry.ledger import Ledger
from turnpike.tool_registry.links.confines import Confines
from turnpike.tool_registry.links.pool import Key, Links
from turnpike.tool_registry.model import KNOWLEDGE, Endpoint
from turnpike.tool_registry.opening import Opened
from turnpike.tool_registry.preparation import Plans
from turnpike.tool_registry.renewals import Renewals
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.shelving import Shelf

if TYPE_CHECKING:
    from turnpike.tool_registry.links.link import Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """Each of its parts, which know each other."""

    lease: Lease
    envelope: Envelope
    connectors: Connectors
    links: Links
    renewals: Renewals
    access: Access
    discoveries: Discoveries
    catalogue: Catalogue
    shelf: Shelf
    executor: Executor
    calls: Calls


def assembled(settings: Settings, within: Opened) -> Core:
    """Returns the parts, knowing each other; nothing runs yet."""
    engine, tasks = within.engine, within.tasks
    lease = Lease(settings.replica_name, settings.listen_address)
    envelope, ledger = Envelope(settings.secret_keys), Ledger(within.pool)
    connectors = Connectors(envelope)
    links = Links(tasks, _confines(settings), _built_in(settings, within.embedding))
    renewals = Renewals(
        engine=engine,
        grants=Grants(envelope),
        tasks=tasks,
        allow_private=settings.egress_allow_private,
    )
    access = Access(engine, connectors, renewals)
    discoveries = Discoveries(engine=engine, access=access, links=links, lease=lease, tasks=tasks)
    links.on_change = discoveries.note_change
    catalogue = Catalogue(
        pool=within.pool,
        engine=engine,
        discoveries=discoveries,
        connectors=connectors,
        has_knowledge=bool(settings.embedding_target),
    )
    plans = Plans(access)
    shelf = Shelf(engine, within.blobs, tenant_bytes=settings.artifact_tenant_bytes)
    executor = Executor(
        ledger=ledger,
        plans=plans,
        links=links,
        lease=lease,
        tasks=tasks,
        catalogue=catalogue,
        shelf=shelf,
    )
    calls = Calls(
        ledger=ledger,
        executor=executor,
        plans=plans,
        links=links,
        lease=lease,
        catalogue=catalogue,
    )
    return Core(
        lease=lease,
        envelope=envelope,
        connectors=connectors,
        links=links,
        renewals=renewals,
        access=access,
        discoveries=discoveries,
        catalogue=catalogue,
        shelf=shelf,
        executor=executor,
        calls=calls,
    )


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
