"""Makes a suite have what the documents say: all of it, or nothing."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass

from turnpike.cli.errors import CommandError
from turnpike.cli.gateway.client import FieldFault, GatewayClient, RefusalError
from turnpike.cli.setup.account_specs import BudgetSpec, SubscriptionSpec, TenantLimitsSpec
from turnpike.cli.setup.documents import Document
from turnpike.cli.setup.mistakes import Mistake, MistakesError
from turnpike.cli.setup.places import find_places
from turnpike.cli.setup.secrets import resolve_secrets
from turnpike.cli.setup.specs import AgentSpec, ConnectorSpec, ModelSpec, SourceSpec, Spec, ToolSpec

# What a document can be blamed for; anything else is the caller's or the suite's trouble.
_DOCUMENTS_FAULT = (400, 404, 409, 413, 422)


@dataclass(frozen=True)
class Outcome:
    """What became of one document: `created`, `changed` or `unchanged`."""

    document: Document
    change: str

    def __str__(self) -> str:
        """Returns it as one line for people."""
        return f"{self.document.kind} {self.document.name}: {self.change}"

    def facts(self) -> dict[str, str]:
        """Returns it for programs."""
        return {"kind": self.document.kind, "name": self.document.name, "result": self.change}


def apply_documents(
    client: GatewayClient, documents: list[Document], environment: Mapping[str, str]
) -> Generator[Outcome]:
    """Checks every document with the suite, then applies them in order; yields what each did.

    Raises MistakesError, with all that is wrong, before anything is changed.
    """
    specs = resolve_secrets(documents, environment)
    places = find_places(client, documents)
    as_written = sorted(documents, key=lambda document: (document.file, document.number))
    mistakes = [
        fault
        for document in as_written
        for fault in _check(client, document, places[document.id], specs)
    ]
    if mistakes:
        raise MistakesError(mistakes)
    for document in documents:
        yield _apply(client, document, places[document.id], specs[document.id])


def stdio_commands(documents: Sequence[Document]) -> list[list[str]]:
    """Returns the command lines that the documents' stdio connectors run."""
    return [
        document.spec.command
        for document in documents
        if isinstance(document.spec, ConnectorSpec) and document.spec.command
    ]


def _check(
    client: GatewayClient,
    document: Document,
    place: str,
    specs: Mapping[tuple[str, ...], Spec],
) -> list[Mistake]:
    spec = specs[document.id]
    try:
        client.call("PUT", place, params={"validate_only": "true"}, json=_body(spec))
    except RefusalError as refusal:
        if refusal.http_status not in _DOCUMENTS_FAULT:
            raise
        faults = refusal.faults or [FieldFault("", refusal.detail)]
        return [
            document.mistake(fault.field, fault.message)
            for fault in faults
            if not _comes_with_it(document, fault, specs)
        ]
    return []


def _comes_with_it(
    document: Document, fault: FieldFault, specs: Mapping[tuple[str, ...], Spec]
) -> bool:
    """Whether the suite misses something that the same documents bring."""
    spec = document.spec
    if isinstance(spec, SubscriptionSpec):
        return fault.field == "plan" and ("Plan", spec.plan) in specs
    if isinstance(spec, BudgetSpec):
        # What the tenant is given may be another by then.
        return fault.field == "limit_micro_usd" and any(
            id[0] in ("Plan", "Subscription", "TenantLimits") for id in specs
        )
    if isinstance(spec, SourceSpec):
        # Which collection there is not, it says without a field.
        return not fault.field and ("Collection", spec.collection) in specs
    if isinstance(spec, ToolSpec):
        # Its connector is made, or another server's by then.
        return ("Connector", document.name.partition("/")[0]) in specs
    if isinstance(spec, ModelSpec):
        return fault.field == "members" and any(
            ("Model", member.model) in specs for member in spec.members
        )
    return isinstance(spec, AgentSpec) and _comes_with_agent(spec, fault, specs)


def _comes_with_agent(
    spec: AgentSpec, fault: FieldFault, specs: Mapping[tuple[str, ...], Spec]
) -> bool:
    named = {f"skills[{place}]": ("Skill", name) for place, name in enumerate(spec.skills)}
    return (named | {"model": ("Model", spec.model)}).get(fault.field, ("", "")) in specs


def _apply(client: GatewayClient, document: Document, place: str, spec: Spec) -> Outcome:
    try:
        response = client.call("PUT", place, json=_body(spec))
    except RefusalError as refusal:
        where = f"{document.file}: document {document.number}: {document.kind} {document.name!r}"
        raise CommandError(f"{where}: {refusal}", reason=refusal.reason) from refusal
    if response.status_code == 201:
        return Outcome(document, "created")
    return Outcome(document, response.headers.get("x-turnpike-result", "changed"))


def _body(spec: Spec) -> dict[str, object]:
    # Whose it is stands in its path.
    whose = (
        {"tenant", "principal"} if isinstance(spec, SubscriptionSpec | TenantLimitsSpec) else None
    )
    return spec.model_dump(mode="json", exclude_unset=True, exclude=whose)
