"""What documents may say of which calls run, and which a person is asked for."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

Pattern = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.*-]+/[A-Za-z0-9_.*/-]+$")]
Reason = Annotated[str, Field(max_length=1000)]
Mode = Literal["DEFAULT", "BYPASS", "DONT_ASK"]
Id = Annotated[str, Field(min_length=1, max_length=64)]
Role = Literal["member", "admin"]
Number = Annotated[float, Field(strict=False)]

_BOUNDS = frozenset({"minimum", "maximum"})


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class Predicate(_Strict):
    """What must hold of one of a call's arguments."""

    path: str = Field(default="", max_length=1000, pattern="^(/([^~]|~[01])*)?$")
    equals: Any = None
    one_of: list[Any] = []
    pattern: str = Field(default="", max_length=1000)
    minimum: Number | None = None
    maximum: Number | None = None

    @model_validator(mode="after")
    def _tests_one_thing(self) -> Self:
        said = self.model_fields_set - {"path"}
        if len({"bounds" if each in _BOUNDS else each for each in said}) != 1:
            raise ValueError("takes one of equals, one_of, pattern, or bounds")
        return self


class Rule(_Strict):
    """What becomes of calls of some tools."""

    tool: Pattern
    effect: Literal["ALLOW", "ASK", "DENY", "ALWAYS_ASK"]
    where: list[Predicate] = Field(default=[], max_length=20)
    reason: Reason = ""


class SkillRule(Rule):
    """What becomes of calls of some tools once a skill is loaded: it only tightens."""

    effect: Literal["ASK", "DENY"]  # pyright: ignore[reportIncompatibleVariableOverride]


class Policy(_Strict):
    """Which calls of an agent run."""

    mode: Mode | None = None
    allow: list[Pattern] = []
    ask: list[Pattern] = []
    deny: list[Pattern] = []
    rules: list[Rule] = []
    reason: Reason = ""


class Defaults(_Strict):
    """What holds where an agent says nothing."""

    mode: Mode | None = None
    allow: list[Pattern] = []
    ask: list[Pattern] = []
    rules: list[Rule] = []
    reason: Reason = ""


class ApprovalRules(_Strict):
    """Who decides what agents ask for, and for how long."""

    approvers: list[Id] = Field(default=[], max_length=100)
    roles: list[Role] = Field(default=[], max_length=2)
    exclude_requester: bool = False
    quorum: int = Field(default=1, ge=1, le=20)
    expires_after: float = Field(default=86_400, ge=1, le=31_536_000, strict=False)
    on_expiry: Literal["abort", "reject", "escalate"] = "abort"
    escalate_to: list[Id] = Field(default=[], max_length=100)
    escalate_to_roles: list[Role] = Field(default=[], max_length=2)
    incremental: bool = False


class TextFilter(_Strict):
    """What becomes of texts that people write and that a pattern matches."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    pattern: str = Field(min_length=1, max_length=1000)
    action: Literal["REFUSE", "MASK"]
    reason: str = Field(default="", max_length=500)


class PolicySpec(_Strict):
    """What a tenant says of all agents' calls, or a person of their own turns'."""

    enabled: bool = True
    deny: list[Pattern] = []
    always_ask: list[Pattern] = []
    ask: list[Pattern] = []
    rules: list[Rule] = []
    reason: Reason = ""
    defaults: Defaults = Defaults()
    approvals: ApprovalRules | None = None
    text_filters: list[TextFilter] = Field(default=[], max_length=32)

    def not_for(self, whose: str) -> list[str]:
        """Returns the fields that are not for the tenant, or not for a person."""
        of_tenants = {"enabled", "always_ask", "defaults", "approvals", "text_filters"}
        others = {"tenant": {"ask"}, "person": of_tenants}
        return sorted(others[whose] & self.model_fields_set)
