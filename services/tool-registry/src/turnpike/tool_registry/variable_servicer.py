"""VariableService: wire ↔ model."""

from uuid import UUID

from turnpike.api.tool_registry.v1 import variable_service_pb2 as pb
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceServicer
from turnpike.rpc.errors import ForbiddenError
from turnpike.rpc.identity import require_role, require_service
from turnpike.rpc.paging import cursor_of, page_size, page_token
from turnpike.rpc.served import Context, caller_of
from turnpike.tool_registry.variable_administration import VariableAdministration, Wish
from turnpike.tool_registry.variables import Variable


class VariableServicer(VariableServiceServicer):
    """Serves turnpike.api.tool_registry.v1.VariableService."""

    def __init__(self, variables: VariableAdministration) -> None:
        self._variables = variables

    async def SetVariable(
        self, request: pb.SetVariableRequest, context: Context
    ) -> pb.SetVariableResponse:
        asked = request.variable
        variable, change = await self._variables.put(
            Wish(
                tenant=_tenant(context),
                principal=_owner(context, asked.scope, least="admin"),
                name=asked.name,
                secret=asked.secret,
                value=asked.value if asked.HasField("value") else None,
                etag=request.etag,
                must_be_new=request.must_be_new,
                validate_only=request.validate_only,
            )
        )
        return pb.SetVariableResponse(
            variable=_to_wire(variable),
            change=f"CHANGE_{change.value}",
        )

    async def GetVariable(
        self, request: pb.GetVariableRequest, context: Context
    ) -> pb.GetVariableResponse:
        owner = _owner(context, request.scope, least="member")
        variable = await self._variables.get(_tenant(context), owner, request.name)
        return pb.GetVariableResponse(variable=_to_wire(variable))

    async def ListVariables(
        self, request: pb.ListVariablesRequest, context: Context
    ) -> pb.ListVariablesResponse:
        require_role(caller_of(context), "member")
        after = cursor_of(request.page_token, str, str) or ("", "")
        size = page_size(request.page_size)
        found = await self._variables.page(
            _tenant(context),
            caller_of(context).principal,
            after=(after[0], after[1]),
            limit=size + 1,
        )
        shown = found[:size]
        last = shown[-1] if len(found) > size else None
        return pb.ListVariablesResponse(
            variables=[_to_wire(each) for each in shown],
            next_page_token=page_token(last.name, last.principal) if last else "",
        )

    async def DeleteVariable(
        self, request: pb.DeleteVariableRequest, context: Context
    ) -> pb.DeleteVariableResponse:
        owner = _owner(context, request.scope, least="admin")
        await self._variables.delete(_tenant(context), owner, request.name, etag=request.etag)
        return pb.DeleteVariableResponse()

    async def FillText(self, request: pb.FillTextRequest, context: Context) -> pb.FillTextResponse:
        caller = caller_of(context)
        require_service(caller, "agent-runtime")
        text = await self._variables.fill(
            _tenant(context),
            caller.principal,
            request.field,
            request.text,
            check_only=request.check_only,
        )
        return pb.FillTextResponse(text=text)


def _tenant(context: Context) -> UUID:
    caller = caller_of(context)
    if not caller.tenant:
        raise ForbiddenError("a variable is a tenant's")
    return UUID(caller.tenant)


def _owner(context: Context, scope: "pb.VariableScope", *, least: str) -> str:
    """Returns whose variables a scope means; the tenant's are `least`'s to touch."""
    caller = caller_of(context)
    if scope != pb.VARIABLE_SCOPE_PERSON:
        require_role(caller, least)
        return ""
    require_role(caller, "member")
    if not caller.principal:
        raise ForbiddenError("a person's variable is that person's own")
    return caller.principal


def _to_wire(variable: Variable) -> pb.Variable:
    return pb.Variable(
        name=variable.name,
        scope=pb.VARIABLE_SCOPE_PERSON if variable.principal else pb.VARIABLE_SCOPE_TENANT,
        secret=variable.secret,
        value=None if variable.secret else variable.value,
        etag=variable.version,
        create_time=variable.create_time,
        update_time=variable.update_time,
    )
