"""Tools that connectors bring, what waits for approval, and whose credentials calls carry."""

from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import APIRouter, Path, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1 import tool_pb2
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceStub
from turnpike.gateway.documents import embed_object, rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.connector_shapes import Secrets
from turnpike.gateway.routes.parameters import IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.replies import RESULTS, problems, raw_reply, reply, time_of
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time

# A connector that was never seen is awaited for 30 s.
_PATIENCE = timedelta(seconds=35)
_CREDENTIAL = {"credential.": ""}

ToolName = Annotated[str, Path(max_length=300, description="`connector/tool`.")]
Alias = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{0,64}$")]


class Tool(Reply):
    """One thing that a connector can do."""

    name: str
    description: str
    input_schema: dict[str, Any]
    annotations: dict[str, Any]
    digest: str
    state: str = Field(description="`OK`, `INVALID`, `QUARANTINED` or `DISABLED`.")
    alias: str = Field(default="", description="What models call it; left out when empty.")
    annotations_trusted: bool = Field(default=False, description="Left out when false.")
    drift: list[str] = Field(default=[], description="Left out when empty.")
    flags: list[str] = Field(default=[], description="Left out when empty.")
    renamed_from: str = Field(default="", description="Left out when empty.")


class Tools(Reply):
    """Tools, by name."""

    tools: list[Tool]
    digest: str = Field(description="Of all of them together.")


class ToolSettings(Request):
    """What is to be said of a tool."""

    enabled: bool = True
    alias: Alias = Field(default="", description="What models call it.")


class Approval(Request):
    """Which definition was looked at."""

    digest: Annotated[Text, Field(min_length=1, max_length=100)]


class Review(Reply):
    """A tool that waits for approval."""

    tool: str
    digest: str = Field(description="Of the definition that waits; approving names it.")
    approved_digest: str
    drift: list[str]
    flags: list[str]
    renamed_from: str
    diff: str


class ReviewPage(Reply):
    """A page of tools that wait, by name."""

    reviews: list[Review]
    next_page_token: str


class NewCredential(Request):
    """What the caller's calls carry from now on."""

    headers: Secrets


class Credential(Reply):
    """A person's credential, without its secrets."""

    connector: str
    principal: str = Field(description="Empty for the one that serves whoever has none.")
    header_names: list[str]
    updated: Time
    issuer: str = Field(description="Who gave it, an OAuth issuer; empty for set headers.")
    scope: str
    expires: Time | None = Field(description="Unless it is renewed, which is done by itself.")
    refusal: str = Field(description="Why a new sign-in is needed; empty when none is.")


class Credentials(Reply):
    """Who has a credential."""

    credentials: list[Credential]


class ToolRoutes:
    """`/api/v1/tools`, `/api/v1/reviews` and credentials of connectors."""

    def __init__(self, connectors: ConnectorServiceStub) -> None:
        self._connectors = connectors

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        changes = problems(404, 409, 412, 413, 415)
        for path, endpoint, method, model, responses in (
            ("/api/v1/tools", self.list_tools, "GET", Tools, problems()),
            ("/api/v1/reviews", self.list_reviews, "GET", ReviewPage, problems(404)),
            (_CREDENTIALS, self.list_credentials, "GET", Credentials, problems(404)),
            (_CREDENTIAL_PATH, self.put_credential, "PUT", Credential, changes),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], response_model=model, responses=responses
            )
        for path, endpoint, method in (
            ("/api/v1/tools/{tool:path}:approve", self.approve_tool, "POST"),
            ("/api/v1/tools/{tool:path}", self.put_tool, "PUT"),
            (_CREDENTIAL_PATH, self.delete_credential, "DELETE"),
        ):
            router.add_api_route(
                path, endpoint, methods=[method], status_code=204, responses=changes
            )
        return router

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

    async def put_tool(
        self,
        call: CurrentCall,
        tool: ToolName,
        body: ToolSettings,
        validate_only: ValidateOnly = False,
    ) -> Response:
        """Switches a tool on or off, and says what models call it."""
        request = pb.UpdateToolRequest(
            name=tool,
            disabled=not body.enabled,
            alias=body.alias,
            validate_only=validate_only,
        )
        # A connector that was just made is awaited.
        response = await call.patient(_PATIENCE).read(self._connectors.UpdateTool, request)
        result = RESULTS.get(response.change, "changed")
        return Response(status_code=204, headers={"x-turnpike-result": result})

    async def list_reviews(
        self, call: CurrentCall, page: Page, connector: Annotated[str, Query(max_length=64)] = ""
    ) -> Response:
        """Lists the tools that wait for approval, with what changed."""
        request = pb.ListReviewsRequest(connector=connector, **page)
        response = await call.read(self._connectors.ListReviews, request)
        reviews = [_review(each) for each in response.reviews]
        return reply(ReviewPage(reviews=reviews, next_page_token=response.next_page_token))

    async def approve_tool(self, call: CurrentCall, tool: ToolName, body: Approval) -> Response:
        """Lets a tool be used as its server shows it now."""
        request = pb.ApproveToolRequest(name=tool, digest=body.digest)
        await call.read(self._connectors.ApproveTool, request)
        return Response(status_code=204)

    async def list_credentials(self, call: CurrentCall, name: str) -> Response:
        """Lists who has a credential: to admins everybody, to others themselves."""
        request = pb.ListCredentialsRequest(connector=name)
        response = await call.read(self._connectors.ListCredentials, request)
        return reply(Credentials(credentials=[_credential(each) for each in response.credentials]))

    async def put_credential(
        self, call: CurrentCall, name: str, body: NewCredential, tag: IfMatch = None
    ) -> Response:
        """Stores what the caller's calls carry from now on; `If-Match` names the connector's ETag.

        With it, a credential is never stored for another server than the one it was meant for.
        """
        credential = tool_pb2.Credential(connector=name, headers=body.headers)
        request = pb.SetCredentialRequest(credential=credential, etag=if_match(tag))
        response = await call.read(self._connectors.SetCredential, request, _CREDENTIAL)
        return reply(_credential(response.credential))

    async def delete_credential(
        self,
        call: CurrentCall,
        name: str,
        principal: Annotated[str, Query(max_length=64, description="Whose, for admins.")] = "",
        shared: Annotated[bool, Query(description="The one that serves whoever has none.")] = False,
    ) -> Response:
        """Forgets the caller's credential, or as an admin anybody's, or the shared one."""
        request = pb.DeleteCredentialRequest(connector=name, principal=principal, shared=shared)
        await call.change(self._connectors.DeleteCredential, request)
        return Response(status_code=204)


_CREDENTIALS = "/api/v1/connectors/{name:name}/credentials"
_CREDENTIAL_PATH = "/api/v1/connectors/{name:name}/credential"


def _tool(tool: tool_pb2.Tool) -> dict[str, Any]:
    said = {
        "alias": tool.alias,
        "annotations_trusted": tool.annotations_trusted,
        "drift": list(tool.drift),
        "flags": list(tool.flags),
        "renamed_from": tool.renamed_from,
    }
    return {
        "name": tool.name,
        "description": tool.description,
        "input_schema": embed_object(tool.input_schema),
        "annotations": embed_object(tool.annotations),
        "digest": tool.digest,
        "state": tool.state,
        **{key: value for key, value in said.items() if value},
    }


def _review(review: tool_pb2.Review) -> Review:
    return Review(
        tool=review.tool,
        digest=review.digest,
        approved_digest=review.approved_digest,
        drift=list(review.drift),
        flags=list(review.flags),
        renamed_from=review.renamed_from,
        diff=review.diff,
    )


def _credential(credential: tool_pb2.Credential) -> Credential:
    return Credential(
        connector=credential.connector,
        principal=credential.principal,
        header_names=list(credential.header_names),
        updated=rfc3339(credential.update_time),
        issuer=credential.issuer,
        scope=credential.scope,
        expires=time_of(credential, "expire_time"),
        refusal=credential.refusal,
    )
