"""Gathering what a turn needs before it can be driven."""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from redis.exceptions import RedisError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.agents.wording import names_variables
from turnpike.agent_runtime.approvals import questions
from turnpike.agent_runtime.approvals.model import ApprovalRules
from turnpike.agent_runtime.approvals.reading import read_reviews
from turnpike.agent_runtime.approvals.reviews import Reviews
from turnpike.agent_runtime.events.log import TurnLog
from turnpike.agent_runtime.events.model import Claim
from turnpike.agent_runtime.models.configs import Choice
from turnpike.agent_runtime.models.prompt import Model
from turnpike.agent_runtime.policy.matching import Pattern
from turnpike.agent_runtime.policy.model import NO_POLICY, Policy
from turnpike.agent_runtime.prefix.model import EMPTY, Ledger
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.tools.toolset import Tool, Toolset
from turnpike.agent_runtime.turns import queries
from turnpike.agent_runtime.turns.attaching import NO_CONTENTS, Contents, data_urls, given
from turnpike.agent_runtime.turns.choosing import NO_MODEL, Chosen, Sources, input_bound
from turnpike.agent_runtime.turns.compacting import Compaction, compaction
from turnpike.agent_runtime.turns.estimating import messages_bound, tools_reckoned
from turnpike.agent_runtime.turns.failures import first_of
from turnpike.agent_runtime.turns.inheriting import Left, left_behind
from turnpike.agent_runtime.turns.ledgering import Said
from turnpike.agent_runtime.turns.loading import LOAD_SKILL, Skillset
from turnpike.agent_runtime.turns.model import PastTurn, Step, Turn, TurnFailedError
from turnpike.agent_runtime.turns.prompting import Shown, answer_messages, messages
from turnpike.agent_runtime.turns.uses import found_before
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import RemoteError

_ALL = 100
# What has no server of its own is given to those who name it: `*/*` is every connector's.
_ASK_PERSON = Tool(
    name=questions.ASK_PERSON,
    description=questions.DESCRIPTION,
    input_schema=questions.SCHEMA_TEXT,
    digest=questions.DIGEST,
)
_ASKING = frozenset({questions.ASK_PERSON, "turnpike/*"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a driver starts from."""

    last_seq: int
    """The last number that may have been shown."""

    model: Model = NO_MODEL
    model_name: str = ""
    """What the agent names: a model's, or a pool's."""

    choice: Choice | None = None
    """What was there of that name before the turn was admitted."""

    toolset: Toolset = field(default_factory=lambda: Toolset([]))
    policy: Policy = NO_POLICY
    max_steps: int = 0
    said: Said | None = None
    """None when the turn is not to be run."""

    first: bool = False
    """Whether nothing was said in the thread before the turn."""

    compacted: Compaction | None = None
    """What stands for the thread's oldest turns from here on, if there was no room left."""

    steps: Sequence[Step] = ()
    head: int = 0
    """How many tokens the prompt has at most; 0 when only its bytes say."""

    left: Left | None = None
    """The model call that an owner before this one died in."""

    reviews: Reviews = field(default_factory=Reviews)
    """What people decided of the step whose calls have not ended."""

    skills: Skillset = field(default_factory=Skillset)
    rules: ApprovalRules = field(default_factory=ApprovalRules)
    """Who decides what the turn asks for."""


async def prepare(
    sources: Sources, claim: Claim, turn: Turn, chosen: Chosen, *, new_thread: bool
) -> Prepared:
    """Returns everything that driving the turn takes.

    Args:
        sources: Where it comes from.
        claim: The claim to drive it for; opens the log.
        turn: The turn.
        chosen: What it runs.
        new_thread: Nothing was said in its thread before.

    Raises:
        FenceLostError: Another claim owns the turn.
        TurnFailedError: It cannot be driven, now or later.
        RemoteError: The registry does not answer.
    """
    spec = chosen.spec
    fresh = new_thread and turn.fence == 1
    try:
        async with asyncio.TaskGroup() as group:
            opening = group.create_task(_opened(sources.log, claim, turn))
            tools = group.create_task(_tools(sources.registry, turn, chosen))
            worded = group.create_task(_instructions(sources.registry, turn, spec))
            said = None if fresh else group.create_task(_said(sources.engine, turn))
            ledger = None if fresh else group.create_task(_ledger(sources, turn))
    except ExceptionGroup as failures:
        raise first_of(failures) from failures
    past, steps, reviews = said.result() if said else ([], [], Reviews())
    files = given(past, turn)
    contents = await sources.contents(turn.tenant, files) if files else NO_CONTENTS
    held = ledger.result() if ledger else EMPTY
    # A turn that has begun goes on as it did: what is sent is only added to.
    full = None if steps else compaction(held, past, turn, chosen.model.context_window)
    toolset = _toolset(sources, chosen, tools.result(), found_before(past, steps))
    chosen.skills.go_on(past, steps)
    spec = replace(spec, instructions=worded.result())
    chosen = replace(chosen, spec=spec)
    last_seq, left = opening.result()
    return Prepared(
        last_seq=last_seq,
        left=left,
        model=chosen.model,
        model_name=spec.model,
        choice=chosen.choice,
        toolset=toolset,
        policy=spec.policy,
        reviews=reviews,
        skills=chosen.skills,
        rules=spec.approvals,
        max_steps=spec.max_steps,
        said=_telling(sources, turn, chosen, held, past, steps, toolset, full, contents)
        if chosen.models
        else None,
        first=not past and bool(chosen.models),
        compacted=full,
        steps=steps,
        head=_known(chosen, turn, steps),
    )


def _toolset(
    sources: Sources, chosen: Chosen, tools: Sequence[Tool], seen: Mapping[str, str]
) -> Toolset:
    """Returns a turn's tools: all shown, or those beyond the pinned to be searched for."""
    asked = chosen.spec.tool_search
    percent = asked.percent or sources.tool_search_percent
    window = chosen.model.context_window
    if percent >= _ALL or not window or tools_reckoned(tools) * _ALL <= percent * window:
        return Toolset(tools, seen=seen)
    patterns = [Pattern(each) for each in (*asked.pinned, LOAD_SKILL.name)]
    return Toolset(
        tools, pinned=lambda tool: any(each.matches(tool) for each in patterns), seen=seen
    )


def _telling(
    sources: Sources,
    turn: Turn,
    chosen: Chosen,
    held: Ledger,
    past: Sequence[PastTurn],
    steps: Sequence[Step],
    toolset: Toolset,
    full: Compaction | None,
    contents: Contents,
) -> Said:
    """Returns what the turn's models are told."""
    spec = chosen.spec
    shown = Shown(contents, sees=chosen.model.sees)
    return Said(
        held,
        messages(
            spec.instructions,
            past,
            turn,
            steps,
            summary=full.summary if full else held.head.summary,
            summarised=full.through if full else held.head.summarised,
            shown=shown,
            skills=chosen.skills.section,
        ),
        toolset,
        pictures=data_urls(given(past, turn), contents),
        compaction=full,
        template=_digest(spec.instructions + chosen.skills.section),
        salt=sources.salt,
        tenant=turn.tenant,
        thread=turn.thread,
        resumed=bool(steps),
    )


async def prepare_end(sources: Sources, claim: Claim, turn: Turn) -> Prepared:
    """Returns what ending the turn takes, without running it.

    Raises:
        FenceLostError: Another claim owns the turn.
    """
    last_seq, left = await _opened(sources.log, claim, turn)
    steps: Sequence[Step] = ()
    if turn.step:
        async with tenant_transaction(sources.engine, turn.tenant) as connection:
            steps = (await queries.steps_of(connection, [turn.id])).get(turn.id, [])
    return Prepared(last_seq=last_seq, left=left, steps=steps)


async def open_log(log: TurnLog, claim: Claim, turn: Turn) -> int:
    """Opens the log for a claim, and returns the last number that may have been shown.

    Raises:
        FenceLostError: Another claim owns the turn.
    """
    if_lost = 0 if turn.fence == 1 else turn.reserved_seq
    try:
        _, last = await log.open(claim, committed=turn.committed_seq, if_lost=if_lost)
    except (RedisError, OSError):
        # Redis is away; nobody knows what it showed.
        return if_lost
    return last


async def _opened(log: TurnLog, claim: Claim, turn: Turn) -> tuple[int, Left | None]:
    last_seq = await open_log(log, claim, turn)
    return last_seq, await left_behind(log, turn, last_seq)


def _known(chosen: Chosen, turn: Turn, steps: Sequence[Step]) -> int:
    """Returns how many tokens the prompt has at most, from what a provider counted."""
    if not steps:
        return chosen.head and chosen.head + input_bound(turn)
    last = steps[-1]
    if not last.tokens:
        return 0
    # An open step's answers are added when they have come.
    return last.tokens + (messages_bound(answer_messages(last)) if last.done else 0)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def _tools(registry: Registry, turn: Turn, chosen: Chosen) -> list[Tool]:
    spec = chosen.spec
    own = [_ASK_PERSON] if any(each in _ASKING for each in spec.tools) else []
    own += chosen.skills.tools
    others = [each for each in spec.tools if not each.startswith("turnpike/")]
    if not others:
        return own
    return [*own, *await registry.tools(turn.tenant, turn.principal, others)]


async def _instructions(registry: Registry, turn: Turn, spec: AgentSpec) -> str:
    """Returns the instructions with the variables that they name, as the requester has them."""
    if not names_variables(spec.instructions):
        return spec.instructions
    try:
        return await registry.fill(
            turn.tenant, turn.principal, spec.instructions, "agent.instructions"
        )
    except RemoteError as error:
        if error.reason != "VARIABLE_UNUSABLE":
            raise
        raise TurnFailedError("VARIABLE_UNUSABLE", error.message) from error


async def _ledger(sources: Sources, turn: Turn) -> Ledger:
    return await sources.ledger.read(turn.tenant, str(turn.thread))


async def _said(engine: AsyncEngine, turn: Turn) -> tuple[list[PastTurn], list[Step], Reviews]:
    async with tenant_transaction(engine, turn.tenant) as connection:
        past = await queries.past_turns(connection, turn)
        steps = (await queries.steps_of(connection, [turn.id])).get(turn.id, [])
        reviews = await _reviews(connection, turn, steps)
    return past, steps, reviews


async def _reviews(connection: AsyncConnection, turn: Turn, steps: Sequence[Step]) -> Reviews:
    # Only a turn that was paused has been asked about anything; it was claimed again since.
    if not steps or turn.fence == 1:
        return Reviews()
    last = steps[-1]
    return await read_reviews(connection, turn.id, None if last.done else last.number)
