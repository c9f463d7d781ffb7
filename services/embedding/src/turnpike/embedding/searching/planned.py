"""Searching what was asked and, beside it, what the planner makes of it."""

import asyncio
import logging
from dataclasses import replace
from datetime import date

from turnpike.embedding.metering import Payer
from turnpike.embedding.planner import Asker, Planner
from turnpike.embedding.searching.model import Found, Question
from turnpike.embedding.searching.planning import INSTRUCTIONS, MOST_OUTPUT, Planned, read_plan
from turnpike.embedding.searching.search import Search
from turnpike.rpc.errors import ServiceError
from turnpike.telemetry import span

logger = logging.getLogger(__name__)


class PlannedSearch:
    """Searches; the planner is asked meanwhile, and never waited for longer than may be.

    Args:
        search: Searches what it is asked.
        planner: Words questions anew.
        patience: How many seconds the planner has.
    """

    def __init__(self, search: Search, planner: Planner, *, patience: float) -> None:
        self._search = search
        self._planner = planner
        self._patience = patience

    async def search(self, question: Question, payer: Payer) -> Found:
        """Returns the best parts; raises as `Search.search` does."""
        if not question.plan:
            return await self._search.search(question, payer)
        planning = asyncio.create_task(self._plan(question, payer))
        try:
            raw = await self._search.search(question, payer)
            plan = await planning
        finally:
            planning.cancel()
            await asyncio.gather(planning, return_exceptions=True)
        if plan is None:
            return raw
        try:
            found = await self._search.search(_with(question, raw, plan), payer)
        except ServiceError:
            logger.info("what was planned cannot be searched", exc_info=True)
            return raw
        return replace(found, planned=plan.wording)

    async def _plan(self, question: Question, payer: Payer) -> Planned | None:
        """Returns the planner's plan; None if there is none, or not in time."""
        asker = Asker(tenant=question.tenant, principal=payer.principal, key=payer.key)
        try:
            with span("plan search"):
                async with asyncio.timeout(self._patience):
                    today = await self._search.today(question)
                    said = await self._planner.ask(
                        asker,
                        instructions=INSTRUCTIONS,
                        text=_told(question, today),
                        max_output=MOST_OUTPUT,
                        seconds=self._patience,
                    )
        except (ServiceError, TimeoutError) as error:
            logger.info("the question is searched as it is: %s", error)
            return None
        return read_plan(said, today)


def _told(question: Question, today: date) -> str:
    return f"Today is {today:%A}, {today.isoformat()}.\nThe question:\n\n{question.wordings[0]}"


def _with(question: Question, raw: Found, plan: Planned) -> Question:
    """Returns a question with its plan; what the person said of days, or rules read, stands."""
    asked = raw.asked.filter
    if not (asked.since or asked.until):
        asked = replace(asked, since=plan.days.since, until=plan.days.until)
    return replace(
        question,
        wordings=tuple(dict.fromkeys([*question.wordings, plan.wording])),
        filter=asked,
        recent=raw.asked.recent or plan.days.recent,
        read_time=False,
    )
