"""What a set-up file's documents are wrapped in: a kind, a name, and the kind's spec."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, model_validator

from turnpike.cli.setup import names
from turnpike.cli.setup.account_specs import (
    BudgetSpec,
    PlanSpec,
    SubscriptionSpec,
    TenantLimitsSpec,
)
from turnpike.cli.setup.policy_specs import PolicySpec
from turnpike.cli.setup.specs import (
    AgentSpec,
    CollectionSpec,
    ConnectorSpec,
    IssuerSpec,
    ModelSpec,
    OwnKeysSpec,
    ProviderKeySpec,
    SkillSpec,
    SourceSpec,
    ToolSpec,
    VariableSpec,
)


class _Envelope(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class _Model(_Envelope):
    kind: str
    name: names.Name
    spec: ModelSpec


class _ProviderKey(_Envelope):
    kind: str
    name: names.Name
    spec: ProviderKeySpec


class _OwnKeys(_Envelope):
    kind: str
    name: Literal["tenant", "person"]
    spec: OwnKeysSpec


class _Policy(_Envelope):
    kind: str
    name: Literal["tenant", "person"]
    spec: PolicySpec

    @model_validator(mode="after")
    def _is_whose_it_says(self) -> Self:
        if others := self.spec.not_for(self.name):
            raise ValueError(f"{others[0]} is not for the policy of a {self.name}")
        return self


class _Agent(_Envelope):
    kind: str
    name: names.Name
    spec: AgentSpec


class _Skill(_Envelope):
    kind: str
    name: names.Name
    spec: SkillSpec


class _Connector(_Envelope):
    kind: str
    name: names.ConnectorName
    spec: ConnectorSpec


class _Tool(_Envelope):
    kind: str
    name: names.ToolName
    spec: ToolSpec


class _Variable(_Envelope):
    kind: str
    name: names.VariableName
    spec: VariableSpec


class _Collection(_Envelope):
    kind: str
    name: names.CollectionName
    spec: CollectionSpec


class _Source(_Envelope):
    kind: str
    name: names.CollectionName
    spec: SourceSpec


class _Plan(_Envelope):
    kind: str
    name: names.Name
    spec: PlanSpec


class _Subscription(_Envelope):
    kind: str
    name: names.Name
    spec: SubscriptionSpec


class _TenantLimits(_Envelope):
    kind: str
    name: names.Name
    spec: TenantLimitsSpec


class _Budget(_Envelope):
    kind: str
    name: names.BudgetName
    spec: BudgetSpec


class _Issuer(_Envelope):
    kind: str
    name: names.Name
    spec: IssuerSpec


AnyEnvelope = (
    _Model
    | _ProviderKey
    | _OwnKeys
    | _Policy
    | _Agent
    | _Skill
    | _Connector
    | _Tool
    | _Variable
    | _Collection
    | _Source
    | _Plan
    | _Subscription
    | _TenantLimits
    | _Budget
    | _Issuer
)
# In the order in which they are applied: an agent names models, connectors and skills, a
# source its collection, a subscription its plan, and a budget stays below what the plan, or
# the tenant's own limits, give. Keys come before they are required, variables before they
# are named.
ENVELOPES: dict[str, type[AnyEnvelope]] = {
    "Plan": _Plan,
    "Subscription": _Subscription,
    "TenantLimits": _TenantLimits,
    "Budget": _Budget,
    "Issuer": _Issuer,
    "ProviderKey": _ProviderKey,
    "OwnKeys": _OwnKeys,
    "Policy": _Policy,
    "Model": _Model,
    "Variable": _Variable,
    "Connector": _Connector,
    "Tool": _Tool,
    "Collection": _Collection,
    "Source": _Source,
    "Skill": _Skill,
    "Agent": _Agent,
}
KINDS = tuple(ENVELOPES)
