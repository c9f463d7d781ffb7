"""Where one package has from another what it asks for, without knowing it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any
from uuid import UUID

import grpc
from sqlalchemy.ext.asyncio import AsyncEngine

from turnpike.agent_runtime.agents import defaults, store
from turnpike.agent_runtime.agents.catalogue import Agents, Holds
from turnpike.agent_runtime.agents.defaults import DefaultAgent
from turnpike.agent_runtime.agents.model import AgentSpec
from turnpike.agent_runtime.agents.wording import CheckText, names_variables
from turnpike.agent_runtime.callers import Person
from turnpike.agent_runtime.completions.asking import Choices
from turnpike.agent_runtime.completions.model import Question
from turnpike.agent_runtime.completions.screening import screened
from turnpike.agent_runtime.connections import Stores
from turnpike.agent_runtime.errors import NotFoundError
from turnpike.agent_runtime.files.catalogue import Bounds, Files
from turnpike.agent_runtime.filters.reading import Screens
from turnpike.agent_runtime.models import store as models_store
from turnpike.agent_runtime.models.choosing import ordered
from turnpike.agent_runtime.models.configs import Choice, Models, Wanted
from turnpike.agent_runtime.models.fingerprints import Fingerprints
from turnpike.agent_runtime.models.prompt import Model, ModelError
from turnpike.agent_runtime.models.refusals import REASONS
from turnpike.agent_runtime.policy.explaining import Asked, Find, Found
from turnpike.agent_runtime.policy.matching import Pattern
from turnpike.agent_runtime.settings import Settings
from turnpike.agent_runtime.skills import store as skills_store
from turnpike.agent_runtime.skills.catalogue import Skills
from turnpike.agent_runtime.tools.registry import Registry
from turnpike.agent_runtime.turns.attaching import ReadContents
from turnpike.agent_runtime.turns.choosing import ModelSource
from turnpike.agent_runtime.turns.model import StartRequest, Turn, TurnFailedError
from turnpike.agent_runtime.turns.starting import Blind, EnsureDefault, InlineVersion, PinFiles
from turnpike.blobs.model import BlobError, BlobsUnavailableError
from turnpike.database.envelope import Envelope
from turnpike.database.tenancy import tenant_transaction
from turnpike.rpc.errors import InvalidArgumentError, RemoteError

HOLDS = Holds(models_store.hold_model, skills_store.hold_skills)
"""What keeps the models and skills that agents name."""


def new_files(settings: Settings, stores: Stores) -> Files:
    """Returns what keeps files."""
    bounds = Bounds(
        size=settings.file_max_bytes,
        tenant=settings.file_tenant_bytes,
        retention=settings.file_retention,
    )
    return Files(stores.engine, stores.blobs, bounds)


def new_models(settings: Settings, stores: Stores) -> Models:
    """Returns what finds the models that somebody may ask."""
    secret = next(iter(settings.secret_keys.values()))
    return Models(stores.pool, Envelope(settings.secret_keys), Fingerprints(secret))


def choices(models: Models, screens: Screens, turns: "count[int]") -> Choices:
    """Returns what finds the models that a proxied call may ask, best first."""

    async def find(question: Question) -> tuple[Question, Sequence[Model]]:
        wanted = Wanted(
            tenant=question.tenant,
            principal=question.principal,
            name=question.model,
            role="chat" if question.model else "planner",
        )
        choice = await models.choice(wanted)
        if choice is None:
            return question, ()
        if question.model:
            # The planner is asked by services, about documents, which are given and not written.
            screen = await screens.of(question.tenant, choice.policy)
            question = await screen.passed(screened, question)
        key = question.session or str(question.principal)
        return question, [each.model for each in ordered(choice, key, turn_of=next(turns))]

    return find


def model_source(models: Models) -> ModelSource:
    """Returns what finds the models that a turn may ask, and pins its thread to one of a pool."""

    async def find(turn: Turn, name: str) -> Choice:
        wanted = Wanted(
            tenant=turn.tenant,
            principal=turn.principal,
            name=name,
            turn=turn.id,
            thread=turn.thread,
        )
        try:
            choice = await models.choice(wanted)
        except ModelError as error:
            raise TurnFailedError(REASONS[error.reason], str(error)) from error
        if choice is None:
            raise TurnFailedError("MODEL_UNUSABLE", f"there is no model {name!r}")
        first = ordered(choice, str(turn.thread))[0].model.name
        if choice.pool and choice.pinned != first:
            pinned = await models.pin(wanted, choice.pool, first, instead_of=choice.pinned)
            choice = replace(choice, pinned=pinned)
        return choice

    return find


def explained_source(agents: Agents, skills: Skills, registry: Registry) -> Find:
    """Returns what finds an agent's policy, its skills and its tool, for explanations."""

    async def find(asked: Asked) -> Found:
        agent = await agents.get(asked.tenant, asked.agent)
        wrong = [
            (f"skills[{place}]", f"the agent has no skill {name!r}")
            for place, name in enumerate(asked.skills)
            if name not in agent.spec.skills
        ]
        if wrong:
            raise InvalidArgumentError(*wrong[0], *wrong[1:])
        loaded = [(await skills.get(asked.tenant, name)).version for name in asked.skills]
        found = Found(agent_version=agent.version, policy=agent.spec.policy, skills=loaded)
        if not any(Pattern(each).matches(asked.tool) for each in agent.spec.tools):
            return found
        tools = await registry.tools(asked.tenant, asked.principal, [asked.tool])
        return next(
            (
                replace(
                    found, digest=each.digest, read_only=each.read_only, connector=each.connector
                )
                for each in tools
            ),
            found,
        )

    return find


def inline_source(engine: AsyncEngine, check: CheckText) -> InlineVersion:
    """Returns what stores an agent that came with a request; raises InvalidArgumentError."""

    async def find(tenant: UUID, principal: UUID, spec: Mapping[str, Any]) -> UUID:
        agent = AgentSpec.from_dict(spec)
        if names_variables(agent.instructions):
            await check(tenant, principal, agent.instructions, "inline_agent.instructions")
        async with tenant_transaction(engine, tenant) as connection:
            await HOLDS.check(connection, tenant, agent, "inline_agent")
            return await store.inline_version(connection, tenant, agent, principal)

    return find


def default_source(default: DefaultAgent | None) -> EnsureDefault:
    """Returns what makes the default agent where it is asked for; None makes none."""

    async def ensure(tenant: UUID, principal: UUID, name: str) -> bool:
        if default is None or name != defaults.NAME:
            return False
        await default.ensure(tenant, principal)
        return True

    return ensure


def file_source(files: Files) -> PinFiles:
    """Returns what finds the files of a request's input."""

    async def pin(request: StartRequest) -> StartRequest:
        if not any("file" in part for part in request.input):
            return request
        person = Person(
            tenant=request.tenant,
            principal=request.principal,
            is_admin=request.any_principal,
        )
        return replace(request, input=await files.pinned(person, request.input))

    return pin


def blind_source(agents: Agents, models: Models) -> Blind:
    """Returns what finds the model of a request's agent that takes no images."""

    async def find(request: StartRequest) -> str:
        try:
            if request.inline_agent is not None:
                name = AgentSpec.from_dict(request.inline_agent).model
            else:
                name = (await agents.get(request.tenant, request.agent)).spec.model
            wanted = Wanted(tenant=request.tenant, principal=request.principal, name=name)
            choice = await models.choice(wanted)
        except (NotFoundError, ModelError):
            # The claim, or the turn, says what is wrong.
            return ""
        return choice.blind if choice is not None else ""

    return find


def contents_source(files: Files) -> ReadContents:
    """Returns what reads the files of a turn."""

    async def read(tenant: UUID, parts: Sequence[Mapping[str, Any]]) -> Mapping[str, bytes]:
        try:
            return await files.contents(tenant, parts)
        except BlobsUnavailableError as error:
            raise RemoteError(
                grpc.StatusCode.UNAVAILABLE, "UNAVAILABLE", "files cannot be read now"
            ) from error
        except BlobError as error:
            raise TurnFailedError(
                "FILE_UNREADABLE", "a file of the thread cannot be read any more"
            ) from error

    return read
