"""The application: the routes, and what is around all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import grpc
from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Match, Route
from starlette.types import Scope

from turnpike.api.agent_runtime.v1.agent_service_pb2_grpc import AgentServiceStub
from turnpike.api.agent_runtime.v1.approval_service_pb2_grpc import ApprovalServiceStub
from turnpike.api.agent_runtime.v1.audit_service_pb2_grpc import AuditServiceStub
from turnpike.api.agent_runtime.v1.completion_service_pb2_grpc import CompletionServiceStub
from turnpike.api.agent_runtime.v1.file_service_pb2_grpc import FileServiceStub
from turnpike.api.agent_runtime.v1.model_service_pb2_grpc import ModelServiceStub
from turnpike.api.agent_runtime.v1.policy_service_pb2_grpc import PolicyServiceStub
from turnpike.api.agent_runtime.v1.prefix_service_pb2_grpc import PrefixServiceStub
from turnpike.api.agent_runtime.v1.provider_key_service_pb2_grpc import ProviderKeyServiceStub
from turnpike.api.agent_runtime.v1.skill_service_pb2_grpc import SkillServiceStub
from turnpike.api.agent_runtime.v1.thread_service_pb2_grpc import ThreadServiceStub
from turnpike.api.agent_runtime.v1.turn_service_pb2_grpc import TurnServiceStub
from turnpike.api.embedding.v1.collection_service_pb2_grpc import CollectionServiceStub
from turnpike.api.embedding.v1.document_service_pb2_grpc import DocumentServiceStub
from turnpike.api.embedding.v1.embedding_service_pb2_grpc import EmbeddingServiceStub
from turnpike.api.embedding.v1.search_service_pb2_grpc import SearchServiceStub
from turnpike.api.embedding.v1.source_service_pb2_grpc import SourceServiceStub
from turnpike.api.gatekeeper.v1.account_service_pb2_grpc import AccountServiceStub
from turnpike.api.gatekeeper.v1.gatekeeper_service_pb2_grpc import GatekeeperServiceStub
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceStub
from turnpike.api.gatekeeper.v1.tenancy_service_pb2_grpc import TenancyServiceStub
from turnpike.api.gatekeeper.v1.usage_service_pb2_grpc import UsageServiceStub
from turnpike.api.tool_registry.v1.artifact_service_pb2_grpc import ArtifactServiceStub
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.api.tool_registry.v1.effect_service_pb2_grpc import EffectServiceStub
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub
from turnpike.gateway import openapi
from turnpike.gateway.edge import Edge
from turnpike.gateway.problems import ProblemError, invalid
from turnpike.gateway.readiness import Readiness
from turnpike.gateway.routes.accounts import AccountRoutes
from turnpike.gateway.routes.agents import AgentRoutes
from turnpike.gateway.routes.answers import Answers
from turnpike.gateway.routes.anthropic.messages import MessageRoutes
from turnpike.gateway.routes.approvals import ApprovalRoutes
from turnpike.gateway.routes.artifacts import ArtifactRoutes
from turnpike.gateway.routes.audit import AuditRoutes
from turnpike.gateway.routes.bans import BanRoutes
from turnpike.gateway.routes.collections import CollectionRoutes
from turnpike.gateway.routes.connectors import ConnectorRoutes
from turnpike.gateway.routes.console import ConsoleRoutes
from turnpike.gateway.routes.documents import DocumentRoutes
from turnpike.gateway.routes.effects import EffectRoutes
from turnpike.gateway.routes.embeddings import EmbeddingRoutes
from turnpike.gateway.routes.explanations import ExplanationRoutes
from turnpike.gateway.routes.faults import faults_of
from turnpike.gateway.routes.files import FileRoutes
from turnpike.gateway.routes.folders import FolderRoutes
from turnpike.gateway.routes.grants import GrantRoutes
from turnpike.gateway.routes.invocations import InvocationRoutes
from turnpike.gateway.routes.issuers import IssuerRoutes
from turnpike.gateway.routes.links import LinkRoutes
from turnpike.gateway.routes.mcp.endpoint import McpRoute
from turnpike.gateway.routes.migrations import MigrationRoutes
from turnpike.gateway.routes.models import ModelRoutes
from turnpike.gateway.routes.openai.chat import ChatRoutes
from turnpike.gateway.routes.openai.models import OpenAiModelRoutes
from turnpike.gateway.routes.openai.responses import ResponseRoutes
from turnpike.gateway.routes.originals import OriginalRoutes
from turnpike.gateway.routes.plans import PlanRoutes
from turnpike.gateway.routes.policies import PolicyRoutes
from turnpike.gateway.routes.prefix_sessions import PrefixSessionRoutes
from turnpike.gateway.routes.principals import PrincipalRoutes
from turnpike.gateway.routes.provider_keys import ProviderKeyRoutes
from turnpike.gateway.routes.revisions import RevisionRoutes
from turnpike.gateway.routes.route import Entrance
from turnpike.gateway.routes.search import SearchRoutes
from turnpike.gateway.routes.sessions import SessionRoutes
from turnpike.gateway.routes.sign_ins import SignInRoutes
from turnpike.gateway.routes.skills import SkillRoutes
from turnpike.gateway.routes.sources import SourceRoutes
from turnpike.gateway.routes.streams import StreamRoutes
from turnpike.gateway.routes.system import SystemRoutes
from turnpike.gateway.routes.tenancy import TenancyRoutes
from turnpike.gateway.routes.threads import ThreadRoutes
from turnpike.gateway.routes.tools import ToolRoutes
from turnpike.gateway.routes.turns import TurnRoutes
from turnpike.gateway.routes.usage import UsageRoutes
from turnpike.gateway.routes.variables import VariableRoutes
from turnpike.gateway.sign_in_states import SignInStates
from turnpike.gateway.streams import Streams

_EXPOSED = (
    "ETag",
    "Location",
    "RateLimit",
    "RateLimit-Limit",
    "RateLimit-Policy",
    "RateLimit-Remaining",
    "RateLimit-Reset",
    "Retry-After",
    "traceparent",
    "X-Turnpike-Result",
)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


class _NameConvertor(StringConvertor):
    """A name or an id; a colon after it begins a verb, as in `/turns/{turn}:cancel`."""

    regex = "[^/:]+"


register_url_convertor("name", _NameConvertor())


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """The services behind the edge."""

    gatekeeper: grpc.aio.Channel
    agent_runtime: grpc.aio.Channel
    tool_registry: grpc.aio.Channel
    embedding: grpc.aio.Channel


def make_app(
    channels: Channels,
    entrance: Entrance,
    streams: Streams,
    readiness: Readiness,
    mcp: McpRoute,
    *,
    cors_origins: Sequence[str] = (),
    secure_cookies: bool = False,
    blob_folder: Path | None = None,
    sign_in_states: SignInStates,
    public_url: str = "",
) -> FastAPI:
    """Returns the application.

    Args:
        channels: To the services.
        entrance: Says who may come in, and how large.
        streams: Where open event streams are known, to be drained.
        readiness: What `/readyz` tells.
        mcp: Where MCP clients come in.
        cors_origins: Origins whose pages may call; `*` for any, without sessions.
        secure_cookies: Whether sessions are for HTTPS alone, also where a proxy
            hides that from this process.
        blob_folder: What services keep blobs in, if it is a folder.
        sign_in_states: What goes to authorization servers and back.
        public_url: Where browsers reach the gateway; as requests say, if empty.
    """
    app = FastAPI(title="Turnpike", version="1", redirect_slashes=False)
    turns = TurnServiceStub(channels.agent_runtime)
    approvals = ApprovalServiceStub(channels.agent_runtime)
    files = FileRoutes(entrance, FileServiceStub(channels.agent_runtime))
    # What is asked most comes first: routes are tried in order.
    app.router.routes[:0] = [
        *StreamRoutes(entrance, turns, approvals, streams).routes(),
        *_foreign_routes(channels.agent_runtime, entrance, streams),
        *mcp.routes(),
        *files.routes(),
        *OriginalRoutes(entrance, DocumentServiceStub(channels.embedding)).routes(),
    ]
    for router in (
        TurnRoutes(turns).router(entrance),
        ThreadRoutes(ThreadServiceStub(channels.agent_runtime)).router(entrance),
        files.router(),
        LinkRoutes(blob_folder).router(entrance),
        *SessionRoutes(entrance, turns, secure_cookies=secure_cookies).routers(),
        AgentRoutes(AgentServiceStub(channels.agent_runtime)).router(entrance),
        ModelRoutes(ModelServiceStub(channels.agent_runtime)).router(entrance),
        ApprovalRoutes(approvals).router(entrance),
        AuditRoutes(AuditServiceStub(channels.agent_runtime)).router(entrance),
        PolicyRoutes(PolicyServiceStub(channels.agent_runtime)).router(entrance),
        ExplanationRoutes(PolicyServiceStub(channels.agent_runtime)).router(entrance),
        GrantRoutes(PolicyServiceStub(channels.agent_runtime)).router(entrance),
        SkillRoutes(SkillServiceStub(channels.agent_runtime)).router(entrance),
        ProviderKeyRoutes(ProviderKeyServiceStub(channels.agent_runtime)).router(entrance),
        PrefixSessionRoutes(PrefixServiceStub(channels.agent_runtime)).router(entrance),
        ConnectorRoutes(ConnectorServiceStub(channels.tool_registry)).router(entrance),
        InvocationRoutes(turns, streams).router(entrance),
        *SignInRoutes(
            entrance,
            ConnectorServiceStub(channels.tool_registry),
            sign_in_states,
            public_url=public_url,
            secure_cookies=secure_cookies,
        ).routers(),
        ToolRoutes(ConnectorServiceStub(channels.tool_registry)).router(entrance),
        ArtifactRoutes(ArtifactServiceStub(channels.tool_registry)).router(entrance),
        EffectRoutes(EffectServiceStub(channels.tool_registry)).router(entrance),
        VariableRoutes(VariableServiceStub(channels.tool_registry)).router(entrance),
        TenancyRoutes(TenancyServiceStub(channels.gatekeeper)).router(entrance),
        *_account_routers(channels.gatekeeper, entrance),
        BanRoutes(TenancyServiceStub(channels.gatekeeper)).router(entrance),
        PrincipalRoutes(IdentityServiceStub(channels.gatekeeper)).router(entrance),
        IssuerRoutes(IdentityServiceStub(channels.gatekeeper)).router(entrance),
        EmbeddingRoutes(EmbeddingServiceStub(channels.embedding)).router(entrance),
        SearchRoutes(SearchServiceStub(channels.embedding)).router(entrance),
        *_knowledge_routers(channels.embedding, entrance),
        SystemRoutes(readiness).router(),
        ConsoleRoutes().router(),
    ):
        # Not `include_router`, which looks its routes up again for each request.
        app.router.routes.extend(router.routes)
    openapi.install(app)
    _wrap(app, cors_origins)
    return app


def _foreign_routes(runtime: grpc.aio.Channel, entrance: Entrance, streams: Streams) -> list[Route]:
    """Returns the routes that speak other vendors' forms."""
    answers = Answers(
        TurnServiceStub(runtime),
        ThreadServiceStub(runtime),
        FileServiceStub(runtime),
        CompletionServiceStub(runtime),
        streams,
    )
    models, agents = ModelServiceStub(runtime), AgentServiceStub(runtime)
    return [
        *ChatRoutes(entrance, answers).routes(),
        *MessageRoutes(entrance, answers).routes(),
        *ResponseRoutes(entrance, answers, ApprovalServiceStub(runtime)).routes(),
        *OpenAiModelRoutes(entrance, answers, models, agents).routes(),
    ]


def _knowledge_routers(embedding: grpc.aio.Channel, entrance: Entrance) -> list[APIRouter]:
    documents = DocumentServiceStub(embedding)
    return [
        CollectionRoutes(CollectionServiceStub(embedding)).router(entrance),
        MigrationRoutes(CollectionServiceStub(embedding)).router(entrance),
        SourceRoutes(SourceServiceStub(embedding)).router(entrance),
        # What ends in a verb comes before what takes any path.
        RevisionRoutes(documents).router(entrance),
        DocumentRoutes(documents).router(entrance),
        FolderRoutes(documents).router(entrance),
    ]


def _account_routers(gatekeeper: grpc.aio.Channel, entrance: Entrance) -> list[APIRouter]:
    accounts = AccountServiceStub(gatekeeper)
    usage = UsageRoutes(UsageServiceStub(gatekeeper), GatekeeperServiceStub(gatekeeper))
    return [
        PlanRoutes(accounts).router(entrance),
        AccountRoutes(accounts).router(entrance),
        usage.router(entrance),
    ]


def _wrap(app: FastAPI, cors_origins: Sequence[str]) -> None:
    def refuse_path(request: Request, error: Any) -> NoReturn:
        raise _problem_of(error, _allowed(app.routes, request.scope)) from error

    app.add_exception_handler(HTTPException, refuse_path)
    app.add_exception_handler(RequestValidationError, _refuse_fields)
    app.add_middleware(Edge, allowed=lambda scope: _allowed(app.routes, scope))
    if cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=cors_origins,
            allow_credentials="*" not in cors_origins,
            allow_methods=_METHODS,
            allow_headers=["*"],
            expose_headers=_EXPOSED,
        )


def _refuse_fields(_request: Request, error: Any) -> NoReturn:
    raise invalid(faults_of(error.errors(), sources=True)) from error


def _problem_of(error: HTTPException, allowed: Sequence[str]) -> ProblemError:
    if error.status_code == 405:
        return ProblemError(
            405, "METHOD_NOT_ALLOWED", "not with this method", allow=", ".join(allowed)
        )
    if error.status_code == 404:
        return ProblemError(404, "NOT_FOUND", "there is no such path")
    return ProblemError(error.status_code, "INVALID_ARGUMENT", str(error.detail))


def _allowed(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """Returns the methods of all routes that know a path."""
    methods: set[str] = set()
    for route in routes:
        match, _ = route.matches(scope)
        if match is not Match.NONE:
            methods |= getattr(route, "methods", None) or set()
    if not methods:
        return []
    if "GET" in methods:
        methods.add("HEAD")
    return sorted(methods | {"OPTIONS"})
