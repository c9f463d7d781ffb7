"""The server, and every servicer on it."""

import grpc

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
from turnpike.blobs.model import BlobError, BlobRangeError
from turnpike.database.failures import is_unavailable
from turnpike.rpc.errors import InvalidArgumentError, ServiceError, UnavailableError
from turnpike.rpc.server import new_server
from turnpike.tool_registry.administration import Administration
from turnpike.tool_registry.artifact_servicer import ArtifactServicer
from turnpike.tool_registry.call_servicer import ToolCallServicer
from turnpike.tool_registry.connector_servicer import ConnectorServicer
from turnpike.tool_registry.core import Core
from turnpike.tool_registry.credentials import Credentials
from turnpike.tool_registry.effect_servicer import EffectServicer
from turnpike.tool_registry.effects import Effects
from turnpike.tool_registry.lending import Lending
from turnpike.tool_registry.oauth.grants import Client
from turnpike.tool_registry.opening import Opened
from turnpike.tool_registry.reading import Reading
from turnpike.tool_registry.resource_servicer import ResourceServicer
from turnpike.tool_registry.reviews import Reviews
from turnpike.tool_registry.rules import Rules
from turnpike.tool_registry.settings import Settings
from turnpike.tool_registry.sign_ins import SignIns
from turnpike.tool_registry.signing_in import SigningIn
from turnpike.tool_registry.variable_administration import VariableAdministration
from turnpike.tool_registry.variable_servicer import VariableServicer
from turnpike.tool_registry.variables import Variables

SERVICES = (
    artifact_service_pb2.DESCRIPTOR.services_by_name["ArtifactService"].full_name,
    connector_service_pb2.DESCRIPTOR.services_by_name["ConnectorService"].full_name,
    effect_service_pb2.DESCRIPTOR.services_by_name["EffectService"].full_name,
    resource_service_pb2.DESCRIPTOR.services_by_name["ResourceService"].full_name,
    tool_call_service_pb2.DESCRIPTOR.services_by_name["ToolCallService"].full_name,
    variable_service_pb2.DESCRIPTOR.services_by_name["VariableService"].full_name,
)


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


def server_of(settings: Settings, within: Opened, core: Core) -> grpc.aio.Server:
    """Returns the server with every servicer, on no port yet."""
    server = new_server(
        Settings.service(),
        authenticate=within.keys.caller,
        until_revoked=within.keys.until_revoked,
        translate=_translate,
    )
    variables = VariableAdministration(
        engine=within.engine, variables=Variables(core.envelope), discoveries=core.discoveries
    )
    add_ConnectorServiceServicer_to_server(_connector_servicer(settings, within, core), server)
    add_ToolCallServiceServicer_to_server(ToolCallServicer(core.calls, core.shelf), server)
    add_EffectServiceServicer_to_server(EffectServicer(Effects(within.engine, core.calls)), server)
    add_VariableServiceServicer_to_server(VariableServicer(variables), server)
    add_ArtifactServiceServicer_to_server(ArtifactServicer(core.shelf), server)
    add_ResourceServiceServicer_to_server(
        ResourceServicer(Reading(core.access, core.links)), server
    )
    return server


def _connector_servicer(settings: Settings, within: Opened, core: Core) -> ConnectorServicer:
    administration = Administration(
        engine=within.engine,
        connectors=core.connectors,
        discoveries=core.discoveries,
        links=core.links,
        rules=Rules(settings.stdio_commands, settings.egress_allow_private),
    )
    lending = Lending(
        engine=within.engine,
        connectors=core.connectors,
        credentials=Credentials(core.envelope),
        discoveries=core.discoveries,
    )
    signing_in = SigningIn(
        engine=within.engine,
        connectors=core.connectors,
        credentials=Credentials(core.envelope),
        sign_ins=SignIns(core.envelope),
        discoveries=core.discoveries,
        tasks=within.tasks,
        clients=_clients(settings),
        redirects=settings.oauth_redirects,
        allow_private=settings.egress_allow_private,
    )
    return ConnectorServicer(
        administration, core.catalogue, Reviews(within.engine), lending, signing_in
    )


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
