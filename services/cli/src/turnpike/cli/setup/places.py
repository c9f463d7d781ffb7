"""Where the gateway keeps what documents say."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from turnpike.cli.gateway.client import GatewayClient
from turnpike.cli.setup.account_specs import SubscriptionSpec, TenantLimitsSpec
from turnpike.cli.setup.documents import Document
from turnpike.cli.setup.mistakes import Mistake, MistakesError

_COLLECTIONS = {
    "Agent": "agents",
    "Budget": "budgets",
    "Collection": "collections",
    "Connector": "connectors",
    "Issuer": "issuers",
    "Model": "models",
    "OwnKeys": "own-keys",
    "Plan": "plans",
    "Policy": "policies",
    "ProviderKey": "provider-keys",
    "Skill": "skills",
    "Source": "sources",
    "Subscription": "subscriptions",
    "TenantLimits": "limits",
    "Tool": "tools",
    "Variable": "variables",
}
_OfTenant = SubscriptionSpec | TenantLimitsSpec


def find_places(client: GatewayClient, documents: Sequence[Document]) -> dict[tuple[str, ...], str]:
    """Returns the path of each document, by its id; raises MistakesError where a tenant is unknown.

    Tenants may be called by their names; their ids are then asked for.
    """
    named = {
        document.spec.tenant
        for document in documents
        if isinstance(document.spec, _OfTenant) and not _is_id(document.spec.tenant)
    }
    tenants = _tenants(client, named) if named else {}
    if mistakes := _unknown(documents, named - tenants.keys()):
        raise MistakesError(mistakes)
    return {
        document.id: f"/api/v1/{_COLLECTIONS[document.kind]}/{_name(document, tenants)}"
        for document in documents
    }


def _tenants(client: GatewayClient, names: set[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for tenant in client.pages("/api/v1/tenants", "tenants", page_size="500"):
        if tenant["name"] in names:
            found[tenant["name"]] = tenant["id"]
        if len(found) == len(names):
            break
    return found


def _unknown(documents: Sequence[Document], names: set[str]) -> list[Mistake]:
    return [
        document.mistake("tenant", "there is no such tenant")
        for document in documents
        if isinstance(document.spec, _OfTenant) and document.spec.tenant in names
    ]


def _name(document: Document, tenants: Mapping[str, str]) -> str:
    spec = document.spec
    if not isinstance(spec, _OfTenant):
        return document.name
    tenant = tenants.get(spec.tenant, spec.tenant)
    principal = spec.principal if isinstance(spec, SubscriptionSpec) else ""
    return f"{tenant}.{principal}" if principal else tenant


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
