"""ConnectorService: wire ↔ model."""

from uuid import UUID

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceServicer
from turnpike.rpc.identity import require_role
from turnpike.rpc.paging import cursor_of, page_size, page_token
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.administration import Administration
from turnpike.tool_registry.catalogue import Catalogue, ListedTool
from turnpike.tool_registry.model import Change, Connector, ConnectorState, Endpoint, Transport

_TRANSPORTS = {
    tool_pb2.TRANSPORT_HTTP: Transport.HTTP,
    tool_pb2.TRANSPORT_STDIO: Transport.STDIO,
}
_WIRE_TRANSPORTS = {transport: wire for wire, transport in _TRANSPORTS.items()}
_STATES = {
    ConnectorState.UNKNOWN: tool_pb2.CONNECTOR_STATE_UNSPECIFIED,
    ConnectorState.OK: tool_pb2.CONNECTOR_STATE_OK,
    ConnectorState.DEGRADED: tool_pb2.CONNECTOR_STATE_DEGRADED,
}
_CHANGES = {
    Change.CREATED: pb.CHANGE_CREATED,
    Change.CHANGED: pb.CHANGE_CHANGED,
    Change.UNCHANGED: pb.CHANGE_UNCHANGED,
}


class ConnectorServicer(ConnectorServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ConnectorService."""

    def __init__(self, administration: Administration, catalogue: Catalogue) -> None:
        self._administration = administration
        self._catalogue = catalogue

    async def CreateConnector(
        self, request: pb.CreateConnectorRequest, context: Context
    ) -> pb.CreateConnectorResponse:
        connector = await self._administration.create(
            _admin_tenant(context),
            request.connector.name,
            _to_endpoint(request.connector),
            validate_only=request.validate_only,
        )
        return pb.CreateConnectorResponse(connector=_to_wire(connector))

    async def GetConnector(
        self, request: pb.GetConnectorRequest, context: Context
    ) -> pb.GetConnectorResponse:
        connector = await self._administration.get(_tenant(context), request.name)
        return pb.GetConnectorResponse(connector=_to_wire(connector))

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Context
    ) -> pb.ListConnectorsResponse:
        (after,) = cursor_of(request.page_token, str) or ("",)
        size = page_size(request.page_size)
        found = await self._administration.page(_tenant(context), after=after, limit=size + 1)
        shown = found[:size]
        return pb.ListConnectorsResponse(
            connectors=[_to_wire(connector) for connector in shown],
            next_page_token=page_token(shown[-1].name) if len(found) > size else "",
        )

    async def UpdateConnector(
        self, request: pb.UpdateConnectorRequest, context: Context
    ) -> pb.UpdateConnectorResponse:
        connector, change = await self._administration.update(
            _admin_tenant(context),
            request.connector.name,
            _to_endpoint(request.connector),
            etag=request.etag,
            allow_missing=request.allow_missing,
            validate_only=request.validate_only,
        )
        return pb.UpdateConnectorResponse(connector=_to_wire(connector), change=_CHANGES[change])

    async def DeleteConnector(
        self, request: pb.DeleteConnectorRequest, context: Context
    ) -> pb.DeleteConnectorResponse:
        await self._administration.delete(_admin_tenant(context), request.name, etag=request.etag)
        return pb.DeleteConnectorResponse()

    async def ListTools(
        self, request: pb.ListToolsRequest, context: Context
    ) -> pb.ListToolsResponse:
        listed, digest = await self._catalogue.list_tools(_tenant(context), request.patterns)
        return pb.ListToolsResponse(
            tools=[_tool_to_wire(each) for each in listed], toolset_digest=digest
        )


def _tenant(context: Context) -> UUID:
    return UUID(caller_of(context).tenant)


def _admin_tenant(context: Context) -> UUID:
    caller = caller_of(context)
    require_role(caller, "admin")
    return UUID(caller.tenant)


def _to_endpoint(connector: tool_pb2.Connector) -> Endpoint:
    return Endpoint(
        transport=_TRANSPORTS[connector.transport],
        url=connector.url,
        command=tuple(connector.command),
        headers=dict(connector.headers),
        env=dict(connector.env),
    )


def _to_wire(connector: Connector) -> tool_pb2.Connector:
    return tool_pb2.Connector(
        name=connector.name,
        transport=_WIRE_TRANSPORTS[connector.transport],
        url=connector.url,
        command=connector.command,
        header_names=connector.header_names,
        env_names=connector.env_names,
        state=_STATES[connector.state],
        state_reason=connector.state_reason,
        etag=connector.etag,
        create_time=connector.create_time,
        update_time=connector.update_time,
    )


def _tool_to_wire(listed: ListedTool) -> tool_pb2.Tool:
    tool, definition = listed.tool, listed.definition
    return tool_pb2.Tool(
        name=tool.full_name,
        description=definition.description,
        input_schema=definition.input_schema_text,
        annotations=definition.annotations_text,
        digest=tool.digest,
        state=tool.state.value,
    )
