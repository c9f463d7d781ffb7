"""ConnectorService: wire ↔ model."""

from uuid import UUID
from weakref import WeakKeyDictionary

from turnpike.api.tool_registry.v1 import connector_service_pb2 as pb
from turnpike.api.tool_registry.v1.connector_service_pb2_grpc import ConnectorServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import require_role
from turnpike.rpc.paging import cursor_of, page_size, page_token
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.administration import Administration
from turnpike.tool_registry.catalogue import Catalogue
from turnpike.tool_registry.lending import Lending
from turnpike.tool_registry.model import Change
from turnpike.tool_registry.offers import ToolList
from turnpike.tool_registry.ownership import Who
from turnpike.tool_registry.reviews import Reviews
from turnpike.tool_registry.signing_in import SigningIn
from turnpike.tool_registry.wire import (
    connector_to_wire,
    credential_to_wire,
    probe_to_wire,
    review_to_wire,
    sign_in_to_wire,
    to_spec,
    tool_to_wire,
)

_ADMINS = frozenset({"admin", "owner"})
_CHANGES = {
    Change.CREATED: pb.CHANGE_CREATED,
    Change.CHANGED: pb.CHANGE_CHANGED,
    Change.UNCHANGED: pb.CHANGE_UNCHANGED,
}


class ConnectorServicer(ConnectorServiceServicer):
    """Serves turnpike.api.tool_registry.v1.ConnectorService."""

    def __init__(
        self,
        administration: Administration,
        catalogue: Catalogue,
        reviews: Reviews,
        lending: Lending,
        signing_in: SigningIn,
    ) -> None:
        self._administration = administration
        self._catalogue = catalogue
        self._reviews = reviews
        self._lending = lending
        self._signing_in = signing_in
        # A list stays the same object until it changes: its message is built once.
        self._lists: WeakKeyDictionary[ToolList, pb.ListToolsResponse] = WeakKeyDictionary()

    async def CreateConnector(
        self, request: pb.CreateConnectorRequest, context: Context
    ) -> pb.CreateConnectorResponse:
        tenant, who, spec = _tenant(context), _changer(context), to_spec(request.connector)
        probe = None
        if request.probe:
            who.require(spec.owner)
            probe = probe_to_wire(await self._administration.probe(tenant, who, spec))
        connector = await self._administration.create(
            tenant, who, request.connector.name, spec, validate_only=request.validate_only
        )
        return pb.CreateConnectorResponse(connector=connector_to_wire(connector), probe=probe)

    async def GetConnector(
        self, request: pb.GetConnectorRequest, context: Context
    ) -> pb.GetConnectorResponse:
        connector = await self._administration.get(_tenant(context), _who(context), request.name)
        return pb.GetConnectorResponse(connector=connector_to_wire(connector))

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Context
    ) -> pb.ListConnectorsResponse:
        (after,) = cursor_of(request.page_token, str) or ("",)
        size = page_size(request.page_size)
        found = await self._administration.page(
            _tenant(context), _who(context), after=after, limit=size + 1
        )
        shown = found[:size]
        return pb.ListConnectorsResponse(
            connectors=[connector_to_wire(connector) for connector in shown],
            next_page_token=page_token(shown[-1].name) if len(found) > size else "",
        )

    async def UpdateConnector(
        self, request: pb.UpdateConnectorRequest, context: Context
    ) -> pb.UpdateConnectorResponse:
        connector, change = await self._administration.update(
            _tenant(context),
            _changer(context),
            request.connector.name,
            to_spec(request.connector),
            etag=request.etag,
            allow_missing=request.allow_missing,
            validate_only=request.validate_only,
        )
        return pb.UpdateConnectorResponse(
            connector=connector_to_wire(connector), change=_CHANGES[change]
        )

    async def DeleteConnector(
        self, request: pb.DeleteConnectorRequest, context: Context
    ) -> pb.DeleteConnectorResponse:
        await self._administration.delete(
            _tenant(context), _changer(context), request.name, etag=request.etag
        )
        return pb.DeleteConnectorResponse()

    async def ProbeConnector(
        self, request: pb.ProbeConnectorRequest, context: Context
    ) -> pb.ProbeConnectorResponse:
        spec = to_spec(request.connector)
        who = _changer(context)
        who.require(spec.owner)
        probe = await self._administration.probe(_tenant(context), who, spec)
        return pb.ProbeConnectorResponse(probe=probe_to_wire(probe))

    async def RefreshConnector(
        self, request: pb.RefreshConnectorRequest, context: Context
    ) -> pb.RefreshConnectorResponse:
        connector = await self._administration.refresh(
            _tenant(context), _changer(context), request.name
        )
        return pb.RefreshConnectorResponse(connector=connector_to_wire(connector))

    async def ListTools(
        self, request: pb.ListToolsRequest, context: Context
    ) -> pb.ListToolsResponse:
        listed = await self._catalogue.list_tools(
            _tenant(context), request.patterns, principal=caller_of(context).principal
        )
        response = self._lists.get(listed)
        if response is None:
            tools = [tool_to_wire(each) for each in listed.tools]
            response = pb.ListToolsResponse(tools=tools, toolset_digest=listed.digest)
            self._lists[listed] = response
        return response

    async def SetCredential(
        self, request: pb.SetCredentialRequest, context: Context
    ) -> pb.SetCredentialResponse:
        credential = await self._lending.put(
            _tenant(context),
            _person(context),
            request.credential.connector,
            dict(request.credential.headers),
            etag=request.etag,
        )
        return pb.SetCredentialResponse(credential=credential_to_wire(credential))

    async def ListCredentials(
        self, request: pb.ListCredentialsRequest, context: Context
    ) -> pb.ListCredentialsResponse:
        found = await self._lending.list_of(_tenant(context), _who(context), request.connector)
        return pb.ListCredentialsResponse(credentials=[credential_to_wire(each) for each in found])

    async def DeleteCredential(
        self, request: pb.DeleteCredentialRequest, context: Context
    ) -> pb.DeleteCredentialResponse:
        await self._lending.delete(
            _tenant(context),
            _person(context),
            request.connector,
            request.principal,
            shared=request.shared,
        )
        return pb.DeleteCredentialResponse()

    async def StartSignIn(
        self, request: pb.StartSignInRequest, context: Context
    ) -> pb.StartSignInResponse:
        sign_in, url = await self._signing_in.start(
            _tenant(context),
            _person(context),
            request.connector,
            shared=request.shared,
            redirect_uri=request.redirect_uri,
            client_metadata_url=request.client_metadata_url,
            state=request.state,
        )
        return pb.StartSignInResponse(sign_in=sign_in_to_wire(sign_in), authorization_url=url)

    async def FinishSignIn(
        self, request: pb.FinishSignInRequest, context: Context
    ) -> pb.FinishSignInResponse:
        sign_in = await self._signing_in.finish(
            _tenant(context),
            _person(context),
            state=request.state,
            code=request.code,
            issuer=request.issuer,
            error=request.error,
        )
        return pb.FinishSignInResponse(sign_in=sign_in_to_wire(sign_in))

    async def GetSignIn(
        self, request: pb.GetSignInRequest, context: Context
    ) -> pb.GetSignInResponse:
        sign_in = await self._signing_in.get(_tenant(context), _who(context), UUID(request.id))
        return pb.GetSignInResponse(sign_in=sign_in_to_wire(sign_in))

    async def UpdateTool(
        self, request: pb.UpdateToolRequest, context: Context
    ) -> pb.UpdateToolResponse:
        connector, _, name = request.name.partition("/")
        require_role(caller_of(context), "admin")
        # A set-up names tools of a connector that it has just made.
        await self._catalogue.list_tools(_tenant(context), [f"{connector}/*"])
        change = await self._reviews.set_up(
            _tenant(context),
            connector,
            name,
            enabled=not request.disabled,
            alias=request.alias,
            validate_only=request.validate_only,
        )
        return pb.UpdateToolResponse(change=_CHANGES[change])

    async def ListReviews(
        self, request: pb.ListReviewsRequest, context: Context
    ) -> pb.ListReviewsResponse:
        require_role(caller_of(context), "admin")
        after = cursor_of(request.page_token, str, str) or ("", "")
        size = page_size(request.page_size)
        found = await self._reviews.page(
            _tenant(context), request.connector, after=(after[0], after[1]), limit=size + 1
        )
        shown = found[:size]
        last = shown[-1].tool if len(found) > size else None
        return pb.ListReviewsResponse(
            reviews=[review_to_wire(each) for each in shown],
            next_page_token=page_token(last.connector, last.name) if last else "",
        )

    async def ApproveTool(
        self, request: pb.ApproveToolRequest, context: Context
    ) -> pb.ApproveToolResponse:
        connector, _, name = request.name.partition("/")
        caller = caller_of(context)
        require_role(caller, "admin")
        await self._reviews.approve(
            _tenant(context), connector, name, digest=request.digest, approver=caller.principal
        )
        return pb.ApproveToolResponse()


def _tenant(context: Context) -> UUID:
    return UUID(caller_of(context).tenant)


def _who(context: Context) -> Who:
    caller = caller_of(context)
    # A service asks for what it is to show or run; the principal that it names narrows it.
    return Who(caller.principal, caller.role in _ADMINS or not caller.principal)


def _changer(context: Context) -> Who:
    caller = caller_of(context)
    require_role(caller, "member")
    return Who(caller.principal, caller.role in _ADMINS)


def _person(context: Context) -> Who:
    who = _changer(context)
    if not who.principal:
        raise ForbiddenError("a credential is a person's own")
    return who
