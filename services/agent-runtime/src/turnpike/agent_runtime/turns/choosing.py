"""What a turn runs, known before it is admitted."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.agents.model import AgentSpec, Version
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.models.choosing import ordered
from turnpike.agent_runtime.models.configs import Choice
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.prefix.keys import Salt
from turnpike.agent_runtime.prefix.store import PrefixStore
from turnpike.agent_runtime.skills.pinning import PinSkills
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.turns import queries
from turnpike.agent_runtime.turns.admission import Price
from turnpike.agent_runtime.turns.attaching import ReadContents, bound
from turnpike.agent_runtime.turns.estimating import DEFAULT_MAX_OUTPUT, Estimate, text_bound
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.invocation import invocation_of
from turnpike.agent_runtime.turns.loading import Skillset
from turnpike.agent_runtime.turns.model import Turn, TurnFailedError
from turnpike.database.tenancy import tenant_transaction

# What a template's variables may add to the instructions and to an input.
_VARIABLES_BOUND = 512
NO_MODEL = Model(
    tenant=UUID(int=0), name="", provider="", model="", base_url="", api_key="", prices=None
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What a turn runs: known before it is admitted."""

    spec: AgentSpec
    agent_owner: UUID
    """Who made the agent's version."""

    models: Sequence[Model]
    """What it may ask, best first: one, or a pool's; a model by each credential."""

    choice: Choice | None = None
    """The same, as it was read; None where no model is asked."""

    head: int
    """What the thread's prompt has at most before this turn, in tokens; 0 when nobody knows."""

    skills: Skillset = field(default_factory=Skillset)

    @property
    def model(self) -> Model:
        """What is asked first; of a turn of one call nothing is."""
        return self.models[0] if self.models else NO_MODEL

    def estimate(self, turn: Turn) -> Estimate | None:
        """Returns what the first model call may use, as far as that is known by now.

        Tools are not: a call that they make larger is granted anew before it is made.
        """
        if not self.models:
            return None
        before = self.head or text_bound(self.spec.instructions + self.skills.section)
        return Estimate(
            model=self.model.name,
            input_tokens=before + input_bound(turn),
            max_output_tokens=self.model.max_output or DEFAULT_MAX_OUTPUT,
        )

    @property
    def prices(self) -> list[Price]:
        """What every model that the turn may call costs.

        A key of one's own costs nothing here, unless its owner gave the model prices.
        """
        # Of a model with several keys the platform's costs: nobody knows yet which is used.
        prices: dict[str, Price] = {}
        for model in self.models:
            if model.name not in prices or prices[model.name].own_key:
                prices[model.name] = Price(
                    model=model.name, prices=model.prices, own_key=model.costs_nothing
                )
        return list(prices.values())


ModelSource = Callable[[Turn, str], Coroutine[None, None, Choice]]
"""Returns what a turn may ask by what its agent names; raises TurnFailedError when
there is nothing of that name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where it all comes from."""

    engine: AsyncEngine
    log: TurnLog
    registry: Registry
    version: Callable[[UUID, UUID], Coroutine[None, None, Version]]
    """Returns a tenant's agent version by its id."""

    models: ModelSource

    contents: ReadContents
    skills: PinSkills
    ledger: PrefixStore
    salt: Salt
    tool_search_percent: int
    """Which share of a model's context definitions may take before they are searched for."""


async def choose(sources: Sources, turn: Turn, *, new_thread: bool) -> Chosen:
    """Returns what a turn runs.

    Raises:
        TurnFailedError: Its model is unusable.
    """
    if invocation := invocation_of(turn.input):
        return Chosen(spec=invocation.spec, agent_owner=turn.principal, models=(), head=0)
    version = await sources.version(turn.tenant, turn.agent_version)
    try:
        async with asyncio.TaskGroup() as group:
            choosing = group.create_task(sources.models(turn, version.spec.model))
            pinning = group.create_task(_skills(sources, turn, version.spec))
            head = None if new_thread else group.create_task(_head(sources.engine, turn))
    except ExceptionGroup as failures:
        raise first_of(failures) from failures
    _check_sight(turn, choosing.result())
    return Chosen(
        spec=version.spec,
        agent_owner=version.created_by,
        choice=choosing.result(),
        models=[each.model for each in ordered(choosing.result(), str(turn.thread))],
        head=_head_with(head.result() if head else 0, pinning.result()),
        skills=pinning.result(),
    )


def input_bound(turn: Turn) -> int:
    """Returns how many tokens what a turn was given has at most."""
    return _VARIABLES_BOUND + bound(turn.input)


def _check_sight(turn: Turn, choice: Choice) -> None:
    if choice.blind and any(part.get("type") == "image" for part in turn.input):
        raise TurnFailedError("MODEL_UNUSABLE", f"model {choice.blind!r} takes no images")


async def _head(engine: AsyncEngine, turn: Turn) -> int:
    async with tenant_transaction(engine, turn.tenant) as connection:
        return await queries.head_tokens(connection, turn)


async def _skills(sources: Sources, turn: Turn, spec: AgentSpec) -> Skillset:
    return Skillset(await sources.skills(turn.tenant, turn.id, spec.skills))


def _head_with(head: int, skills: Skillset) -> int:
    # What the thread's last turn was told of its skills may have been less.
    return head + text_bound(skills.section) if head and skills.section else head
