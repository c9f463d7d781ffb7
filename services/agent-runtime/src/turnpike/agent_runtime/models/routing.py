"""A turn's ways to its model: which one is next, which ones rest, and what becomes of them."""

from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from uuid import UUID

from turnpike.agent_runtime.models.choosing import ordered
from turnpike.agent_runtime.models.clients import Clients
from turnpike.agent_runtime.models.configs import Candidate, Choice, Models, Wanted
from turnpike.agent_runtime.models.cooldowns import Cooldowns
from turnpike.agent_runtime.models.outages import Outages
from turnpike.agent_runtime.models.prompt import ModelClient, ModelError

# Whoever is told to slow down says so to all; what broke once may have broken for one.
_FOR_ALL = frozenset({"RATE_LIMITED", "OVERLOADED"})
_BROKEN_FOR_ALL = 3
# Waiting does not help, so that whoever has another choice need not find out again.
_FOR_GOOD = frozenset({"AUTHENTICATION", "QUOTA_EXHAUSTED"})
_FOR_GOOD_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """What all turns of a replica go by."""

    models: Models
    clients: Clients
    cooldowns: Cooldowns
    outages: Outages
    turns: "count[int]"
    """Counts turns, so that credentials take turns."""


class Router:
    """The ways of one turn, for one claim."""

    def __init__(
        self, ways: Ways, wanted: Wanted, *, turn: UUID, fence: int, known: Choice | None = None
    ) -> None:
        """Takes what a claim of a turn wants.

        Args:
            ways: What all turns go by.
            wanted: What it wants to ask.
            turn: The turn.
            fence: The claim's fence.
            known: What there was to ask a moment ago; while it is fresh it is not read again for
                the first look.
        """
        self._ways = ways
        self._wanted = wanted
        self._turn = turn
        self._fence = fence
        self._key = str(wanted.thread or turn)
        self._choice = Choice(pool="", pinned="", candidates=())
        self._known = known
        self._failures: dict[str, int] = {}
        self._turn_of = next(ways.turns)

    async def candidates(self) -> list[Candidate]:
        """Returns what may be asked, best first, with credentials as they are now.

        Raises:
            ModelError: There is nothing of that name, or no credential that can be opened.
        """
        choice, self._known = self._known, None
        if choice is None or not choice.is_fresh:
            choice = await self._ways.models.choice(self._wanted)
        if choice is None:
            message = f"there is no model {self._wanted.name!r}"
            raise ModelError("MODEL_UNUSABLE", message, transient=False)
        self._choice = choice
        return ordered(choice, self._key, turn_of=self._turn_of)

    async def take(self, candidate: Candidate) -> None:
        """Pins the thread to what is asked, and to the credential where there are several."""
        if self._wanted.thread is None:
            return
        choice, name = self._choice, candidate.model.name
        if choice.pool and choice.pinned != name:
            await self._ways.models.pin(self._wanted, choice.pool, name, instead_of=choice.pinned)
        peers = [each for each in choice.candidates if each.model.name == name]
        stood = choice.pinned_keys.get(name, "")
        if len(peers) > 1 and stood != candidate.id:
            await self._ways.models.pin_key(self._wanted, candidate, instead_of=stood)

    def client(self, candidate: Candidate) -> ModelClient:
        """Returns the way to a model."""
        return self._ways.clients.client(candidate.model.provider)

    def rests(self, candidate: Candidate) -> float:
        """Returns for how many seconds a candidate is not to be asked."""
        return self._ways.cooldowns.left(candidate.quotas)

    async def must_wait(self, candidate: Candidate) -> float:
        """Returns for how many seconds somebody else asks first whether a candidate is back."""
        if not self._ways.cooldowns.is_suspect(candidate.quotas):
            return 0.0
        outages = self._ways.outages
        wait = await outages.take_probe(candidate.id, self._turn, self._fence)
        return wait.total_seconds()

    async def answered(self, candidate: Candidate) -> None:
        """Says that a model began to answer."""
        self._failures.pop(candidate.id, None)
        if self._ways.cooldowns.is_suspect(candidate.quotas):
            await self._ways.cooldowns.clear(candidate.quotas)
            await self._ways.outages.end(candidate.id)

    async def failed(self, candidate: Candidate, error: ModelError, delay: float) -> float:
        """Says that a model did not answer; returns for how many seconds it rests.

        Args:
            candidate: Who was asked.
            error: Why it failed.
            delay: How long it is to rest.
        """
        failures = self._failures[candidate.id] = self._failures.get(candidate.id, 0) + 1
        cooldowns = self._ways.cooldowns
        # Who asked on behalf of all whether it is back has found out for all.
        broken = failures >= _BROKEN_FOR_ALL or cooldowns.is_suspect(candidate.quotas)
        if error.reason in _FOR_ALL or (error.transient and broken):
            return await self._rest(candidate, error, delay)
        if error.reason in _FOR_GOOD and len(self._choice.candidates) > 1:
            return await cooldowns.cool(candidate.quotas[:1], _FOR_GOOD_SECONDS)
        return delay

    async def _rest(self, candidate: Candidate, error: ModelError, delay: float) -> float:
        """Lets a candidate rest for everybody; returns for how many seconds."""
        quotas = candidate.quotas if error.reason in _FOR_ALL else candidate.quotas[:1]
        rests = await self._ways.cooldowns.cool(quotas, delay)
        told = error.retry_after is not None
        after = timedelta(seconds=rests)
        longer = await self._ways.outages.begin(candidate.id, after, self._turn, told=told)
        if longer > after:
            rests = await self._ways.cooldowns.cool(quotas, longer.total_seconds())
        return rests
