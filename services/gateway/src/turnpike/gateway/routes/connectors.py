"""Connectors: MCP servers."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Response

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.connector_shapes import (
    ChangedConnector,
    Connector,
    ConnectorPage,
    NewConnector,
    Probe,
    ProbedConnector,
    to_connector,
    to_message,
    to_probe,
)
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.replies import changed, created, problems, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import check_name

# A discovery is awaited for 30 s.
_PATIENCE = timedelta(seconds=35)
_NAMES = {"connector.": ""}


class ConnectorRoutes:
    """`/api/v1/connectors`."""

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
            "/api/v1/connectors:probe",
            self.probe_connector,
            methods=["POST"],
            response_model=Probe,
            responses=problems(413, 415),
        )
        router.add_api_route(
            "/api/v1/connectors/{name:name}:refresh",
            self.refresh_connector,
            methods=["POST"],
            response_model=Connector,
            responses=problems(404, 413, 415),
        )
        return router

    async def list_connectors(self, call: CurrentCall, page: Page) -> Response:
        """Lists connectors by name."""
        request = pb.ListConnectorsRequest(**page)
        response = await call.read(self._connectors.ListConnectors, request)
        connectors = [to_connector(each) for each in response.connectors]
        return reply(ConnectorPage(connectors=connectors, next_page_token=response.next_page_token))

    async def create_connector(
        self,
        call: CurrentCall,
        body: NewConnector,
        validate_only: ValidateOnly = False,
        probe: Annotated[bool, Query(description="Try it out first, and say how it went.")] = False,
    ) -> Response:
        """Creates a connector; its tools are discovered in the background."""
        request = pb.CreateConnectorRequest(
            connector=to_message(body.name, body), validate_only=validate_only, probe=probe
        )
        response = await call.change(self._connectors.CreateConnector, request, _NAMES)
        made = to_connector(response.connector)
        if probe:
            made.probe = to_probe(response.probe)
        return created(made, "/api/v1/connectors", validate_only=validate_only)

    async def get_connector(self, call: CurrentCall, name: str) -> Response:
        """Returns a connector, how it fares, and why."""
        response = await call.read(self._connectors.GetConnector, pb.GetConnectorRequest(name=name))
        return tagged(to_connector(response.connector))

    async def put_connector(
        self, call: CurrentCall, name: str, body: ChangedConnector, write: CurrentWrite
    ) -> Response:
        """Makes a connector what the body says; a change discovers its tools anew."""
        check_name(body.name, name)
        request = pb.UpdateConnectorRequest(connector=to_message(name, body), **write.update)
        response = await call.read(self._connectors.UpdateConnector, request, _NAMES)
        return changed(to_connector(response.connector), response.change, write)

    async def delete_connector(self, call: CurrentCall, name: str, tag: IfMatch = None) -> Response:
        """Deletes a connector and its tools."""
        request = pb.DeleteConnectorRequest(name=name, etag=if_match(tag))
        await call.change(self._connectors.DeleteConnector, request)
        return Response(status_code=204)

    async def probe_connector(self, call: CurrentCall, body: ProbedConnector) -> Response:
        """Tries a connector out without storing it, and says what is wrong, if anything is."""
        request = pb.ProbeConnectorRequest(connector=to_message(body.name, body))
        response = await call.read(self._connectors.ProbeConnector, request, _NAMES)
        return reply(to_probe(response.probe))

    async def refresh_connector(self, call: CurrentCall, name: str) -> Response:
        """Discovers a connector's tools now, and says how it then fares."""
        request = pb.RefreshConnectorRequest(name=name)
        response = await call.patient(_PATIENCE).read(self._connectors.RefreshConnector, request)
        return reply(to_connector(response.connector))
