"""The services that a replica serves, by what each stands on."""

import grpc

from turnpike.agent_runtime.agents import store
from turnpike.agent_runtime.agents.catalogue import Agents
from turnpike.agent_runtime.agents.defaults import DefaultAgent
from turnpike.agent_runtime.agents.servicer import AgentServicer
from turnpike.agent_runtime.approvals.deciding import Decider
from turnpike.agent_runtime.approvals.inbox import Inbox
from turnpike.agent_runtime.approvals.servicer import ApprovalServicer
from turnpike.agent_runtime.audit.servicer import AuditServicer
from turnpike.agent_runtime.connections import Peers, Stores
from turnpike.agent_runtime.cursors import Cursors
from turnpike.agent_runtime.events.batches import Batches
from turnpike.agent_runtime.events.tails import Tails
from turnpike.agent_runtime.files.servicer import FileServicer
from turnpike.agent_runtime.filters.reading import Screens
from turnpike.agent_runtime.models.catalogue import ModelCatalogue, create_scripted_model
from turnpike.agent_runtime.models.probing import Prober
from turnpike.agent_runtime.models.servicer import ModelServicer
from turnpike.agent_runtime.policy.catalogue import Grants, Policies
from turnpike.agent_runtime.policy.explaining import Explainer, Found
from turnpike.agent_runtime.policy.judging import Judges
from turnpike.agent_runtime.policy.servicer import PolicyServicer
from turnpike.agent_runtime.prefix.listing import Sessions
from turnpike.agent_runtime.prefix.servicer import PrefixServicer
from turnpike.agent_runtime.provider_keys.catalogue import ProviderKeys
from turnpike.agent_runtime.provider_keys.servicer import ProviderKeyServicer
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.skills.catalogue import Skills
from turnpike.agent_runtime.skills.servicer import SkillServicer
from turnpike.agent_runtime.sources import (
    HOLDS,
    blind_source,
    default_source,
    explained_source,
    file_source,
    inline_source,
    new_files,
    new_models,
)
from turnpike.agent_runtime.threads.catalogue import Threads
from turnpike.agent_runtime.threads.servicer import ThreadServicer
from turnpike.agent_runtime.turns.invocation import ASKED_FOR, NO_VERSION
from turnpike.agent_runtime.turns.ownership import Owner
from turnpike.agent_runtime.turns.requests import TurnRequests
from turnpike.agent_runtime.turns.servicer import TurnServicer
from turnpike.agent_runtime.turns.starting import Starter
from turnpike.agent_runtime.turns.viewing import Views
from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import add_AgentServiceServicer_to_server
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import (
    add_ApprovalServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import add_FileServiceServicer_to_server
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import add_ModelServiceServicer_to_server
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import (
    add_PolicyServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import (
    add_PrefixServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import (
    add_ProviderKeyServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import add_SkillServiceServicer_to_server
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import (
    add_ThreadServiceServicer_to_server,
)
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import add_TurnServiceServicer_to_server
from turnpike.database.envelope import Envelope

SERVICES = tuple(
    f"turnpike.api.agent_runtime.v1.{name}"
    for name in (
        "TurnService",
        "ThreadService",
        "FileService",
        "AgentService",
        "ModelService",
        "CompletionService",
        "PrefixService",
        "ProviderKeyService",
        "ApprovalService",
        "PolicyService",
        "AuditService",
        "SkillService",
    )
)


def add_servicers(
    server: grpc.aio.Server,
    settings: Settings,
    stores: Stores,
    peers: Peers,
    *,
    batches: Batches,
    tails: Tails,
    owner: Owner,
) -> None:
    """Adds all services but that of completions, whose own work the caller runs."""
    engine, requests, screens = stores.engine, TurnRequests(stores.pool), Screens(stores.pool)
    default = DefaultAgent(engine, create_scripted_model) if settings.default_agent else None
    views = Views(engine=engine, requests=requests, batches=batches, tails=tails, owner=owner)
    files = new_files(settings, stores)
    agents, skills = Agents(engine, HOLDS), Skills(engine, store.user_of_skill)
    starter = Starter(
        engine=engine,
        requests=requests,
        screens=screens,
        owner=owner,
        inline_version=inline_source(engine, peers.registry.check),
        default_agent=default_source(default),
        pin_files=file_source(files),
        blind=blind_source(agents, new_models(settings, stores)),
    )
    envelope = Envelope(settings.secret_keys)
    cursors = Cursors(envelope)
    models = ModelCatalogue(engine, envelope, store.user_of_model)
    threads = Threads(engine, views.cancel)
    add_TurnServiceServicer_to_server(TurnServicer(starter, views, cursors), server)
    add_ThreadServiceServicer_to_server(ThreadServicer(threads, cursors), server)
    add_FileServiceServicer_to_server(FileServicer(files), server)
    add_AgentServiceServicer_to_server(AgentServicer(agents, default, peers.registry.check), server)
    prober = Prober(
        new_models(settings, stores), peers.clients, patience=settings.first_chunk_timeout
    )
    add_PrefixServiceServicer_to_server(PrefixServicer(Sessions(engine)), server)
    decider = Decider(engine, screens=screens, wake=owner.wake)
    add_ApprovalServiceServicer_to_server(ApprovalServicer(decider, Inbox(engine), cursors), server)
    explainer = Explainer(
        Judges(stores.pool),
        explained_source(agents, skills, peers.registry),
        without=Found(agent_version=NO_VERSION, policy=ASKED_FOR),
    )
    policies = PolicyServicer(Policies(engine), Grants(engine), explainer)
    add_PolicyServiceServicer_to_server(policies, server)
    add_AuditServiceServicer_to_server(AuditServicer(engine), server)
    add_SkillServiceServicer_to_server(SkillServicer(skills), server)
    keys = ProviderKeys(engine, envelope)
    add_ProviderKeyServiceServicer_to_server(ProviderKeyServicer(keys), server)
    add_ModelServiceServicer_to_server(
        ModelServicer(models, prober, platform_tenant=settings.platform_tenant), server
    )
