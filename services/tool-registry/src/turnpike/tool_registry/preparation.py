"""What is known of a tool before it is called: where it is, what it takes, whether it repeats."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeAlias
from uuid import UUID

from jsonschema.protocols import Validator
from sqlalchemy.ext.asyncio import AsyncConnection

from turnpike.tool_registry import tools
from turnpike.tool_registry.access import Access
from turnpike.tool_registry.connectors import StoredConnector
from turnpike.tool_registry.credentials import Loan
from turnpike.tool_registry.definitions import (
    InvalidArgumentsError,
    parse,
    parse_arguments,
    validator_of,
)
from turnpike.tool_registry.errors import (
    ConnectorNotFoundError,
    CredentialMissingError,
    VariableUnusableError,
)
from turnpike.tool_registry.links.faults import UnreachableError
from turnpike.tool_registry.links.pool import Key
from turnpike.tool_registry.model import (
    KNOWLEDGE,
    Call,
    CallRequest,
    Endpoint,
    Fault,
    Outcome,
    ToolState,
)
from turnpike.tool_registry.results import failure
from turnpike.tool_registry.tools import CallableTool
from turnpike.tool_registry.veils import Veil

_KEPT = 512

_PlanKey: TypeAlias = tuple[UUID, str, str, str]


class NotRunnableError(Exception):
    """A call must not be made; it has this outcome instead."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.reason)
        self.outcome = outcome


@dataclass(frozen=True, slots=True)
class Plan:
    """How to call a tool, as of one definition and one version of its connector."""

    link: Key
    endpoint: Endpoint
    tool: str
    input_schema: dict[str, Any]
    validator: Validator
    is_repeatable: bool
    veil: Veil
    """Keeps secrets out of what came back."""

    is_filled: bool
    """Whether variables are in it: what they are is looked up for each call."""

    loan: Loan | None

    @property
    def credential(self) -> str:
        """The mark of the very secret that the endpoint carries."""
        return self.loan.mark if self.loan else ""

    @property
    def etag(self) -> str:
        """The version of the connector."""
        return self.link.etag

    def check(self, arguments: str) -> dict[str, Any]:
        """Returns the arguments, parsed, or raises `NotRunnableError`."""
        try:
            return parse_arguments(arguments, self.validator)
        except InvalidArgumentsError as error:
            raise _refusal("INVALID_ARGUMENTS", str(error)) from error


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call that can be sent as soon as the ledger lets it go."""

    plan: Plan
    arguments: dict[str, Any]
    """Those of the request, checked against the tool's schema."""


class Plans:
    """Prepares calls, and remembers what it prepared.

    What is remembered may be outdated: the ledger says whether it still holds in the
    statement that lets a call go, and `prepare` reads anew.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._plans: OrderedDict[_PlanKey, Plan] = OrderedDict()

    def remembered(self, call: Call | CallRequest) -> Plan | None:
        """Returns what was prepared before for a tool of this definition, and this requester."""
        return self._plans.get(_key(call))

    async def prepare(self, call: Call) -> Plan:
        """Returns how to make a call, or raises `NotRunnableError`."""
        connector, _, name = call.tool.partition("/")
        found: list[CallableTool] = []

        async def check(connection: AsyncConnection) -> None:
            shown = await tools.get_tool(connection, call.tenant, connector, name)
            if shown is None:
                raise _refusal("TOOL_NOT_FOUND", f"there is no tool {call.tool!r}")
            _check_tool(shown, call)
            found[:] = [shown]

        stored = _for_requester(await self._stored(call, connector, check), call.principal)
        link = Key(call.tenant, connector, stored.connector.etag, stored.credential)
        known = self.remembered(call)
        if known is not None and (known.link, known.credential) == (link, _mark(stored)):
            return known
        plan = _plan(link, found[0], stored)
        self._remember(_key(call), plan)
        return plan

    async def is_renewed(self, plan: Plan) -> bool:
        """Says whether a server that refused a plan's credential may be shown another one."""
        return await self._access.is_renewed(plan.link.tenant, plan.link.connector, plan.loan)

    async def note_scope(self, plan: Plan, scope: str) -> None:
        """Has the next sign-in ask for what a plan's credential falls short of."""
        await self._access.note_scope(plan.link.tenant, plan.link.connector, plan.loan, scope)

    async def _stored(
        self, call: Call, connector: str, check: Callable[[AsyncConnection], Awaitable[None]]
    ) -> StoredConnector:
        try:
            return await self._access.for_call(call.tenant, connector, call.principal, check)
        except ConnectorNotFoundError as error:
            raise _refusal("TOOL_NOT_FOUND", f"there is no tool {call.tool!r}") from error
        except CredentialMissingError as error:
            message = f"{connector!r} needs a credential of the requester's own"
            raise _refusal("CREDENTIAL_MISSING", message) from error
        except VariableUnusableError as error:
            raise _refusal("VARIABLE_UNUSABLE", str(error)) from error
        except UnreachableError as error:
            needs_sign_in = error.fault is Fault.AUTH_NEEDED
            reason = "AUTH_REQUIRED" if needs_sign_in else "TOOL_UNREACHABLE"
            raise _refusal(reason, str(error)) from error

    def _remember(self, key: _PlanKey, plan: Plan) -> None:
        self._plans[key] = plan
        self._plans.move_to_end(key)
        if len(self._plans) > _KEPT:
            self._plans.popitem(last=False)


def _key(call: Call | CallRequest) -> _PlanKey:
    return call.tenant, call.tool, call.definition_digest, call.principal


def _check_tool(found: CallableTool, call: Call) -> None:
    tool = found.kept.tool
    if not found.connected or not found.kept.enabled:
        raise _refusal("TOOL_DISABLED", f"{call.tool!r} is switched off")
    if found.owner not in ("", call.principal):
        raise _refusal("TOOL_NOT_FOUND", f"there is no tool {call.tool!r}")
    if tool.digest != call.definition_digest:
        raise _refusal("TOOL_DEFINITION_CHANGED", f"{call.tool!r} is not what it was")
    if tool.state is ToolState.QUARANTINED:
        raise _refusal("TOOL_QUARANTINED", f"{call.tool!r} waits for approval")
    if tool.state is not ToolState.OK:
        raise _refusal("TOOL_NOT_FOUND", f"the schema of {call.tool!r} is invalid")


def _for_requester(stored: StoredConnector, principal: str) -> StoredConnector:
    """Returns a built-in connector as its requester's: it acts in that one's name."""
    if stored.endpoint.url != KNOWLEDGE:
        return stored
    endpoint = replace(stored.endpoint, requester=principal)
    return replace(stored, spec=replace(stored.spec, endpoint=endpoint), variables=principal)


def _plan(link: Key, found: CallableTool, stored: StoredConnector) -> Plan:
    definition = parse(found.kept.tool.definition)
    return Plan(
        link=link,
        endpoint=stored.endpoint,
        tool=found.kept.tool.name,
        input_schema=definition.input_schema,
        validator=validator_of(definition.input_schema),
        is_repeatable=definition.is_repeatable and not found.kept.distrusted,
        loan=stored.loan,
        veil=stored.veil,
        is_filled=bool(stored.connector.variables),
    )


def _mark(stored: StoredConnector) -> str:
    return stored.loan.mark if stored.loan else ""


def _refusal(reason: str, message: str) -> NotRunnableError:
    return NotRunnableError(failure(reason, message))
