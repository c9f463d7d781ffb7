"""Variables and secrets, which connectors and agents name as `${var.NAME}`."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, StringConstraints

from turnpike.api.tool_registry.v1 import variable_service_pb2 as pb
from turnpike.api.tool_registry.v1.variable_service_pb2_grpc import VariableServiceStub
from turnpike.gateway.documents import rfc3339
from turnpike.gateway.requests import if_match
from turnpike.gateway.routes.configured import Configured
from turnpike.gateway.routes.parameters import CurrentWrite, IfMatch, Page, ValidateOnly
from turnpike.gateway.routes.replies import changed, created, reply, tagged
from turnpike.gateway.routes.route import CurrentCall, Entrance
from turnpike.gateway.routes.shapes import Reply, Request, Text, Time, check_name

_NAMES = {"variable.": ""}

Scope = Literal["TENANT", "PERSON"]
Whose = Annotated[Scope, Query(description="Whose: the tenant's, or one's own.")]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class VariableSpec(Request):
    """A value that connectors and agents name."""

    value: Annotated[
        Text | None, Field(max_length=8192, description="Left out, the stored one stays.")
    ] = None
    secret: bool = Field(
        default=False, description="Never shown again, and of no use in instructions."
    )
    scope: Scope = "TENANT"


class NewVariable(VariableSpec):
    """A variable to keep."""

    name: VariableName


class ChangedVariable(VariableSpec):
    """A variable as it shall be."""

    name: VariableName | None = None


class Variable(Reply):
    """A variable; a secret's value is never shown."""

    name: str
    scope: Scope
    secret: bool
    value: str | None = Field(description="Null of a secret.")
    etag: str
    created: Time
    updated: Time


class VariablePage(Reply):
    """A page of variables, by name."""

    variables: list[Variable]
    next_page_token: str


class VariableRoutes:
    """`/api/v1/variables`."""

    def __init__(self, variables: VariableServiceStub) -> None:
        self._variables = variables

    def router(self, entrance: Entrance) -> APIRouter:
        """Returns the routes."""
        router = entrance.router()
        Configured(
            noun=Variable,
            page=VariablePage,
            list_page=self.list_variables,
            create=self.create_variable,
            get=self.get_variable,
            put=self.put_variable,
            delete=self.delete_variable,
        ).add_to(router, "/api/v1/variables")
        return router

    async def list_variables(self, call: CurrentCall, page: Page) -> Response:
        """Lists the tenant's variables and one's own, by name."""
        request = pb.ListVariablesRequest(**page)
        response = await call.read(self._variables.ListVariables, request)
        variables = [_variable(each) for each in response.variables]
        return reply(VariablePage(variables=variables, next_page_token=response.next_page_token))

    async def create_variable(
        self, call: CurrentCall, body: NewVariable, validate_only: ValidateOnly = False
    ) -> Response:
        """Keeps a variable that was not there."""
        request = pb.SetVariableRequest(
            variable=_message(body.name, body), must_be_new=True, validate_only=validate_only
        )
        response = await call.change(self._variables.SetVariable, request, _NAMES)
        return created(
            _variable(response.variable), "/api/v1/variables", validate_only=validate_only
        )

    async def get_variable(self, call: CurrentCall, name: str, scope: Whose = "TENANT") -> Response:
        """Returns a variable, a secret without its value."""
        request = pb.GetVariableRequest(name=name, scope=f"VARIABLE_SCOPE_{scope}")
        response = await call.read(self._variables.GetVariable, request)
        return tagged(_variable(response.variable))

    async def put_variable(
        self, call: CurrentCall, name: str, body: ChangedVariable, write: CurrentWrite
    ) -> Response:
        """Makes a variable what the body says, from the next call or turn on."""
        check_name(body.name, name)
        request = pb.SetVariableRequest(
            variable=_message(name, body),
            etag=write.etag,
            validate_only=write.validate_only,
        )
        response = await call.read(self._variables.SetVariable, request, _NAMES)
        return changed(_variable(response.variable), response.change, write)

    async def delete_variable(
        self, call: CurrentCall, name: str, tag: IfMatch = None, scope: Whose = "TENANT"
    ) -> Response:
        """Deletes a variable: what names it fails from then on."""
        request = pb.DeleteVariableRequest(
            name=name, etag=if_match(tag), scope=f"VARIABLE_SCOPE_{scope}"
        )
        await call.change(self._variables.DeleteVariable, request)
        return Response(status_code=204)


def _message(name: str, spec: VariableSpec) -> pb.Variable:
    return pb.Variable(
        name=name, value=spec.value, secret=spec.secret, scope=f"VARIABLE_SCOPE_{spec.scope}"
    )


def _variable(variable: pb.Variable) -> Variable:
    return Variable(
        name=variable.name,
        scope="PERSON" if variable.scope == pb.VARIABLE_SCOPE_PERSON else "TENANT",
        secret=variable.secret,
        value=variable.value if variable.HasField("value") else None,
        etag=variable.etag,
        created=rfc3339(variable.create_time),
        updated=rfc3339(variable.update_time),
    )
