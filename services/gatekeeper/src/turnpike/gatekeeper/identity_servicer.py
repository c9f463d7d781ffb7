"""IdentityService: the wire's messages to gatekeeper's values, and back."""

from turnpike.api.gatekeeper.v1 import identity_service_pb2 as pb
from turnpike.api.gatekeeper.v1.identity_service_pb2_grpc import IdentityServiceServicer
from turnpike.gatekeeper.directory import CHANGED, CREATED, UNCHANGED, Directory
from turnpike.gatekeeper.messages import (
    issuer_message,
    issuer_spec,
    kind_name,
    principal_message,
    role_name,
)
from turnpike.gatekeeper.pages import page_of, shown_of
from turnpike.rpc.paging import cursor_of, page_size, page_token, text
from turnpike.rpc.served import Context, caller_of

_CHANGES = {
    CREATED: pb.ISSUER_CHANGE_CREATED,
    CHANGED: pb.ISSUER_CHANGE_CHANGED,
    UNCHANGED: pb.ISSUER_CHANGE_UNCHANGED,
}


class IdentityServicer(IdentityServiceServicer):
    """Serves turnpike.api.gatekeeper.v1.IdentityService."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def CreateServiceAccount(
        self, request: pb.CreateServiceAccountRequest, context: Context
    ) -> pb.CreateServiceAccountResponse:
        principal = await self._directory.create_service_account(
            caller_of(context), request.name, role_name(request.role)
        )
        return pb.CreateServiceAccountResponse(principal=principal_message(principal))

    async def GetPrincipal(
        self, request: pb.GetPrincipalRequest, context: Context
    ) -> pb.GetPrincipalResponse:
        principal = await self._directory.get_principal(caller_of(context), request.id)
        return pb.GetPrincipalResponse(principal=principal_message(principal))

    async def ListPrincipals(
        self, request: pb.ListPrincipalsRequest, context: Context
    ) -> pb.ListPrincipalsResponse:
        found = await self._directory.list_principals(
            caller_of(context), kind_name(request.kind), *page_of(request)
        )
        shown, token = shown_of(found, request)
        return pb.ListPrincipalsResponse(
            principals=map(principal_message, shown), next_page_token=token
        )

    async def UpdatePrincipal(
        self, request: pb.UpdatePrincipalRequest, context: Context
    ) -> pb.UpdatePrincipalResponse:
        principal = await self._directory.update_principal(
            caller_of(context), request.id, name=request.name, role=role_name(request.role)
        )
        return pb.UpdatePrincipalResponse(principal=principal_message(principal))

    async def RemovePrincipal(
        self, request: pb.RemovePrincipalRequest, context: Context
    ) -> pb.RemovePrincipalResponse:
        principal = await self._directory.remove_principal(caller_of(context), request.id)
        return pb.RemovePrincipalResponse(principal=principal_message(principal))

    async def CreateIssuer(
        self, request: pb.CreateIssuerRequest, context: Context
    ) -> pb.CreateIssuerResponse:
        issuer = await self._directory.create_issuer(
            caller_of(context),
            request.issuer.name,
            issuer_spec(request.issuer),
            validate_only=request.validate_only,
        )
        return pb.CreateIssuerResponse(issuer=issuer_message(issuer))

    async def GetIssuer(
        self, request: pb.GetIssuerRequest, context: Context
    ) -> pb.GetIssuerResponse:
        issuer = await self._directory.get_issuer(caller_of(context), request.name)
        return pb.GetIssuerResponse(issuer=issuer_message(issuer))

    async def ListIssuers(
        self, request: pb.ListIssuersRequest, context: Context
    ) -> pb.ListIssuersResponse:
        size = page_size(request.page_size)
        (after,) = cursor_of(request.page_token, text) or ("",)
        found = await self._directory.list_issuers(caller_of(context), after, size + 1)
        token = page_token(found[size - 1].name) if len(found) > size else ""
        return pb.ListIssuersResponse(
            issuers=map(issuer_message, found[:size]), next_page_token=token
        )

    async def UpdateIssuer(
        self, request: pb.UpdateIssuerRequest, context: Context
    ) -> pb.UpdateIssuerResponse:
        issuer, change = await self._directory.update_issuer(
            caller_of(context),
            request.issuer.name,
            issuer_spec(request.issuer),
            etag=request.etag,
            allow_missing=request.allow_missing,
            validate_only=request.validate_only,
        )
        return pb.UpdateIssuerResponse(issuer=issuer_message(issuer), change=_CHANGES[change])

    async def DeleteIssuer(
        self, request: pb.DeleteIssuerRequest, context: Context
    ) -> pb.DeleteIssuerResponse:
        await self._directory.delete_issuer(caller_of(context), request.name, etag=request.etag)
        return pb.DeleteIssuerResponse()
