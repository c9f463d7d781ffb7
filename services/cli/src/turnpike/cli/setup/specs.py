"""What the documents of a set-up may say."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from turnpike.cli.setup.account_specs import AccountSpec
from turnpike.cli.setup.names import Name
from turnpike.cli.setup.policy_specs import ApprovalRules, Pattern, Policy, PolicySpec, SkillRule

Provider = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_][a-z0-9_.-]{0,62}$")]
Secret = Annotated[str, Field(max_length=8192)]
Claim = Annotated[str, Field(max_length=200)]
MicroDollars = Annotated[int, Field(ge=0)]
Tokens = Annotated[int, Field(ge=0, le=100_000_000)]
Capability = Literal["tools", "parallel_calls", "vision", "json_mode", "reasoning", "caching"]


_UriPattern = Annotated[str, Field(min_length=1, max_length=512)]
_Uri = Annotated[str, Field(min_length=1, max_length=2048)]


class _Strict(BaseModel):
    """Takes what is written for what it is: "5" is no number, and no name is overlooked."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Prices(_Strict):
    """Millionths of a US dollar for a million tokens."""

    input: MicroDollars = 0
    output: MicroDollars = 0
    cached: MicroDollars = 0
    cache_write: MicroDollars = 0


class Limits(_Strict):
    """How much a model takes; 0 is unknown."""

    context_window: Tokens = 0
    max_output: Tokens = 0


class PoolMember(_Strict):
    """One choice of a pool."""

    model: Name
    weight: int = Field(default=1, ge=1, le=1000)


class ModelSpec(_Strict):
    """Where a model is, and how to be let in; or, with `members`, a choice among models."""

    provider: Provider | None = None
    model: str = Field(default="", max_length=500)
    base_url: str = Field(default="", max_length=2000)
    api_key: Secret = ""
    role: Literal["chat", "planner", "embedding"] = "chat"
    prices: Prices | None = None
    scope: Literal["PLATFORM", "TENANT", "PERSON"] = "TENANT"
    limits: Limits | None = None
    capabilities: list[Capability] = []
    options: dict[Literal["region", "api_version", "beta"], str] = {}
    quota_pool: str = Field(default="", pattern=r"^([a-z0-9][a-z0-9._-]{0,62})?$")
    members: list[PoolMember] = Field(default=[], max_length=100)

    @model_validator(mode="after")
    def _is_one_kind(self) -> Self:
        if bool(self.model) == bool(self.members):
            raise ValueError("takes either a model, or the members of a pool")
        if self.members and self.role != "chat":
            raise ValueError("a pool is for chat")
        return self


class ProviderKeySpec(_Strict):
    """A key of one's own at a model provider."""

    provider: Provider
    base_url: str = Field(default="", max_length=2000)
    api_key: Secret = Field(min_length=1)
    scope: Literal["TENANT", "PERSON"] = "TENANT"


class OwnKeysSpec(_Strict):
    """Whether keys of one's own are used; the document's name says whose."""

    mode: Literal["OFF", "PREFERRED", "REQUIRED"]


class ToolSearch(_Strict):
    """When an agent's tools are searched for, and which are always shown."""

    percent: int = Field(default=0, ge=0, le=100)
    pinned: list[Pattern] = Field(default=[], max_length=100)


class AgentSpec(_Strict):
    """What makes an agent."""

    model: Name
    instructions: str = Field(default="", max_length=200_000)
    tools: list[Pattern] = []
    max_steps: int = Field(default=0, ge=0, le=1000)
    policy: Policy = Policy()
    approvals: ApprovalRules | None = None
    tool_search: ToolSearch = ToolSearch()
    skills: list[Name] = Field(default=[], max_length=100)


class SkillSpec(_Strict):
    """Instructions that agents' models load when they need them."""

    description: str = Field(min_length=1, max_length=1024)
    instructions: str = Field(min_length=1, max_length=65_536)
    rules: list[SkillRule] = Field(default=[], max_length=1000)


class ConnectorSpec(_Strict):
    """How an MCP server is spoken to."""

    transport: Literal["http", "sse", "stdio"]
    url: str = Field(default="", max_length=2000)
    command: list[Annotated[str, Field(max_length=4096)]] = Field(default=[], max_length=64)
    headers: dict[str, Secret] = Field(default={}, max_length=64)
    env: dict[str, Secret] = Field(default={}, max_length=64)
    owner: str = Field(default="", max_length=64)
    enabled: bool = True
    personal_credentials: bool = False
    distrust_annotations: bool = False

    @model_validator(mode="after")
    def _fits_its_transport(self) -> Self:
        if self.transport == "stdio":
            _require(self.command, "a stdio connector needs a command")
            _refuse(self, ("url", "headers"), "http")
        else:
            _require(self.url, f"an {self.transport} connector needs a url")
            _refuse(self, ("command", "env"), "stdio")
        return self


class ToolSpec(_Strict):
    """What is said of one tool of a connector."""

    enabled: bool = True
    alias: str = Field(default="", pattern=r"^[A-Za-z0-9_-]{0,64}$")


class VariableSpec(_Strict):
    """A value that connectors and agents name as `${var.NAME}`."""

    value: Secret
    secret: bool = False
    scope: Literal["TENANT", "PERSON"] = "TENANT"


class CollectionSpec(_Strict):
    """Documents that share a language and a model."""

    language: str = Field(default="", pattern=r"^[a-z_]{0,63}$")
    model: str = Field(default="", max_length=128)
    max_tokens: int = Field(default=0, ge=0, lt=2**31)
    overlap: int = Field(default=0, ge=0, lt=2**31)
    metadata: dict[str, str] = Field(default={}, max_length=64)


class SourceSpec(_Strict):
    """What feeds a folder of a collection from a connector's resources."""

    collection: str = Field(min_length=1, max_length=63)
    connector: str = Field(min_length=1, max_length=63)
    folder: str = Field(default="", max_length=512)
    include: list[_UriPattern] = Field(default=[], max_length=50)
    exclude: list[_UriPattern] = Field(default=[], max_length=50)
    uris: list[_Uri] = Field(default=[], max_length=1000)
    interval_seconds: int = Field(default=86_400, ge=60, le=31_536_000)
    paused: bool = False
    on_edit: Literal["KEEP", "OVERWRITE"] = "KEEP"


class IssuerClaims(_Strict):
    """Which claims of a token say what: a name, or a path with dots."""

    subject: Claim = ""
    name: Claim = ""
    email: Claim = ""
    role: Claim = ""
    tenant: Claim = ""


class IssuerSpec(_Strict):
    """An OpenID Connect provider whose tokens open the tenant to people."""

    issuer: str = Field(min_length=1, max_length=2000)
    audience: str = Field(min_length=1, max_length=500)
    jwks_url: str = Field(default="", max_length=2000)
    algorithms: list[str] = Field(default=[], max_length=10)
    claims: IssuerClaims = IssuerClaims()
    roles: dict[str, Literal["ADMIN", "MEMBER", "VIEWER"]] = Field(default={}, max_length=200)


Spec = (
    ModelSpec
    | ProviderKeySpec
    | OwnKeysSpec
    | PolicySpec
    | AgentSpec
    | SkillSpec
    | ConnectorSpec
    | CollectionSpec
    | SourceSpec
    | ToolSpec
    | VariableSpec
    | AccountSpec
    | IssuerSpec
)


def _require(value: Any, message: str) -> None:
    if not value:
        raise ValueError(message)


def _refuse(spec: ConnectorSpec, names: tuple[str, ...], transport: str) -> None:
    for name in names:
        if getattr(spec, name):
            raise ValueError(f"{name} is for {transport} connectors")
