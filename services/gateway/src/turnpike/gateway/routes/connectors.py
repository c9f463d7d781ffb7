"""Connectors: MCP servers, and the tools that they bring."""

from datetime import timedelta
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.documents import embed_object, rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.replies import (
    changed,
    created,
    problems,
    raw_reply,
    reply,
)
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import (
    IfMatch,
    PageSize,
    PageToken,
    Reply,
    Request,
    Text,
    Time,
    ValidateOnly,
    check_name,
)

ConnectorName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{0,62}$")]
Secrets = Annotated[
    dict[
        Annotated[Text, Field(min_length=1, max_length=256)],
        Annotated[Text, Field(max_length=8192)],
    ],
    Field(max_length=64),
]
Transport = Literal["http", "stdio"]
State = Literal["UNKNOWN", "OK", "DEGRADED"]

# A connector that was never seen is awaited for 30 s.
_PATIENCE = timedelta(seconds=35)
_NAMES = {"connector.": ""}
_TRANSPORTS: dict[Transport, tool_pb2.Transport] = {
    "http": tool_pb2.TRANSPORT_HTTP,
    "stdio": tool_pb2.TRANSPORT_STDIO,
}
_TRANSPORT_NAMES: dict[int, Transport] = {value: name for name, value in _TRANSPORTS.items()}
_STATES: dict[int, State] = {
    tool_pb2.CONNECTOR_STATE_UNSPECIFIED: "UNKNOWN",
    tool_pb2.CONNECTOR_STATE_OK: "OK",
    tool_pb2.CONNECTOR_STATE_DEGRADED: "DEGRADED",
}


class ConnectorSpec(Request):
    """How an MCP server is spoken to."""

    transport: Transport
    url: Annotated[Text, Field(max_length=2000)] = ""
    command: Annotated[list[Annotated[Text, Field(max_length=4096)]], Field(max_length=64)] = Field(
        default=[]
    )
    headers: Secrets = Field(default={}, description="An empty value keeps the stored one.")
    env: Secrets = Field(default={}, description="An empty value keeps the stored one.")


class NewConnector(ConnectorSpec):
    """A connector to create."""

    name: ConnectorName


class ChangedConnector(ConnectorSpec):
    """A connector as it shall be."""

    name: ConnectorName | None = None


class Connector(Reply):
    """An MCP server; the values of its headers and environment are never shown."""

    name: str
    transport: Transport
    url: str
    command: list[str]
    header_names: list[str]
    env_names: list[str]
    state: State
    state_reason: str
    etag: str
    created: Time
    updated: Time


class ConnectorPage(Reply):
    """A page of connectors, by name."""

    connectors: list[Connector]
    next_page_token: str


class Tool(Reply):
    """One thing that a connector can do."""

    name: str
    description: str
    input_schema: dict[str, Any]
    annotations: dict[str, Any]
    digest: str
    state: str


class Tools(Reply):
    """Tools, by name."""

    tools: list[Tool]
    digest: str = Field(description="Of all of them together.")


class ConnectorRoutes:
    """`/api/v1/connectors` and `/api/v1/tools`."""

    def __init__(self, connectors: ConnectorServiceStub) -> None:
        self._connectors = connectors

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Connector,
            page=ConnectorPage,
            list_page=self.list_connectors,
            create=self.create_connector,
            get=self.get_connector,
            put=self.put_connector,
            delete=self.delete_connector,
        ).add_to(router, "/api/v1/connectors")
        router.add_api_route(
            "/api/v1/tools",
            self.list_tools,
            methods=["GET"],
            response_model=Tools,
            responses=problems(),
        )
        return router

    async def list_connectors(
        self, call: CurrentCall, page_size: PageSize = 50, page_token: PageToken = ""
    ) -> Response:
        """Lists connectors by name."""
        request = pb.ListConnectorsRequest(page_size=page_size, page_token=page_token)
        response = await call.read(self._connectors.ListConnectors, request)
        return reply(
            ConnectorPage(
                connectors=[_connector(each) for each in response.connectors],
                next_page_token=response.next_page_token,
            )
        )

    async def create_connector(
        self, call: CurrentCall, body: NewConnector, validate_only: ValidateOnly = False
    ) -> Response:
        """Creates a connector; its tools are discovered in the background."""
        request = pb.CreateConnectorRequest(
            connector=_message(body.name, body), validate_only=validate_only
        )
        response = await call.change(self._connectors.CreateConnector, request, _NAMES)
        made = _connector(response.connector)
        location = f"/api/v1/connectors/{made.name}"
        return created(made, made.etag, location, validate_only=validate_only)

    async def get_connector(self, call: CurrentCall, name: str) -> Response:
        """Returns a connector, how it fares, and why."""
        response = await call.read(self._connectors.GetConnector, pb.GetConnectorRequest(name=name))
        connector = _connector(response.connector)
        return reply(connector, headers={"etag": f'"{connector.etag}"'})

    async def put_connector(
        self,
        call: CurrentCall,
        name: str,
        body: ChangedConnector,
        if_match_header: IfMatch = None,
        validate_only: ValidateOnly = False,
    ) -> Response:
        """Makes a connector what the body says; a change discovers its tools anew."""
        check_name(body.name, name)
        request = pb.UpdateConnectorRequest(
            connector=_message(name, body),
            etag=if_match(if_match_header),
            allow_missing=if_match_header is None,
            validate_only=validate_only,
        )
        response = await call.read(self._connectors.UpdateConnector, request, _NAMES)
        connector = _connector(response.connector)
        return changed(connector, connector.etag, response.change, validate_only=validate_only)

    async def delete_connector(
        self, call: CurrentCall, name: str, if_match_header: IfMatch = None
    ) -> Response:
        """Deletes a connector and its tools."""
        request = pb.DeleteConnectorRequest(name=name, etag=if_match(if_match_header))
        await call.change(self._connectors.DeleteConnector, request)
        return Response(status_code=204)

    async def list_tools(
        self,
        call: CurrentCall,
        pattern: Annotated[
            list[Annotated[str, Field(max_length=300)]],
            Query(max_length=50, description="Only tools that match one: `connector/tool`."),
        ] = [],  # noqa: B006 # FastAPI copies it
    ) -> Response:
        """Lists the tools of known connectors; one that was never seen is awaited."""
        request = pb.ListToolsRequest(patterns=pattern)
        response = await call.patient(_PATIENCE).read(self._connectors.ListTools, request)
        tools = [_tool(each) for each in response.tools]
        return raw_reply(orjson.dumps({"tools": tools, "digest": response.toolset_digest}))


def _message(name: str, spec: ConnectorSpec) -> tool_pb2.Connector:
    return tool_pb2.Connector(
        name=name,
        transport=_TRANSPORTS[spec.transport],
        url=spec.url,
        command=spec.command,
        headers=spec.headers,
        env=spec.env,
    )


def _connector(connector: tool_pb2.Connector) -> Connector:
    return Connector(
        name=connector.name,
        transport=_TRANSPORT_NAMES[connector.transport],
        url=connector.url,
        command=list(connector.command),
        header_names=list(connector.header_names),
        env_names=list(connector.env_names),
        state=_STATES.get(connector.state, "UNKNOWN"),
        state_reason=connector.state_reason,
        etag=connector.etag,
        created=rfc3339(connector.create_time),
        updated=rfc3339(connector.update_time),
    )


def _tool(tool: tool_pb2.Tool) -> dict[str, Any]:
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": embed_object(tool.input_schema),
        "annotations": embed_object(tool.annotations),
        "digest": tool.digest,
        "state": tool.state,
    }
