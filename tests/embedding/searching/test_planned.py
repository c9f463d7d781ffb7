"""E8: the planner beside the question, and never before it."""

import json
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from tests.embedding.searching.planners import planner
from tests.embedding.searching.shelves import NOW, Library, Sheet
from turnpike.embedding.metering import Payer
from turnpike.embedding.planner import Planner
from turnpike.embedding.searching.days import Days
from turnpike.embedding.searching.model import Filter, Found, Question
from turnpike.embedding.searching.planned import PlannedSearch
from turnpike.embedding.searching.planning import read_plan
from turnpike.embedding.searching.search import Search

LABELLED = json.loads((Path(__file__).parent / "planned_queries.json").read_text())


async def search(
    books: Library, asked: Planner, tenant: UUID, query: str, time_zone: str = "UTC"
) -> Found:
    searching = Search(books.engine, books.embedder, exact_most=99)
    question = Question(
        tenant=tenant, wordings=(query,), filter=Filter(time_zone=time_zone), plan=True, limit=2
    )
    payer = Payer(tenant=str(tenant), principal=str(tenant), key="")
    return await PlannedSearch(searching, asked, patience=60).search(question, payer)


def plan(query: str, when: str = "", *, recent: bool = False) -> str:
    return json.dumps({"query": query, "when": when, "recent": recent})


def test_e8_of_a_hundred_planned_questions_at_least_95_get_the_days_that_are_meant() -> None:
    assert len(LABELLED) == 100
    wrong = list[str]()
    for each in LABELLED:
        read = read_plan(each["planner"], date(2026, 11, 21))
        days = [date.fromisoformat(day) if day else None for day in each["days"]]
        if read is None or read.days != Days(days[0], days[1], each["recent"]):
            wrong.append(f"{each['question']!r}: {read}")

    assert len(wrong) <= 5, "\n".join(wrong)


async def test_what_the_planner_says_is_searched_beside_the_question(books: Library) -> None:
    shelf = await books.shelf(language="german")
    await shelf.add(
        Sheet("/lease.md", ["Das Mietverhältnis endet im Juni."]),
        Sheet("/dog.md", ["Hunde sind erlaubt."]),
    )
    async with planner(lambda _: "Sure!\n```json\n" + plan("Mietverhältnis endet") + "\n```") as (
        planning,
        asked,
    ):
        found = await search(books, planning, shelf.tenant, "wann muss ich raus")

    assert found.planned == "Mietverhältnis endet"
    assert found.results[0].path == "/lease.md"
    assert found.results[0].text_rank == 1, "by words that are not in the question"
    (request,) = asked.requests
    assert "wann muss ich raus" in request.text
    assert "wann" not in request.instructions


async def test_days_are_those_of_the_person_s_time_zone_to_their_last_instant(
    books: Library,
) -> None:
    zone = ZoneInfo("Pacific/Kiritimati")
    first = datetime(2026, 11, 20, tzinfo=zone)
    day, instant = timedelta(days=1), timedelta(microseconds=1)
    shelf = await books.shelf()
    await shelf.add(
        Sheet("/before.md", ["toll"], updated=first - instant),
        Sheet("/first.md", ["toll"], updated=first),
        Sheet("/last.md", ["toll"], updated=first + day - instant),
        Sheet("/after.md", ["toll"], updated=first + day),
    )
    async with planner(lambda _: plan("toll", "on 2026-11-20")) as (planning, _):
        found = await search(books, planning, shelf.tenant, "peaje del 20", time_zone=zone.key)

    assert {each.path for each in found.results} == {"/first.md", "/last.md"}


async def test_the_newest_come_first_where_the_planner_says_so(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(
        Sheet("/old.md", ["The toll report of the bridge."], updated=NOW - timedelta(days=9)),
        Sheet("/new.md", ["Report."], updated=NOW),
    )
    async with planner(lambda _: plan("report", recent=True)) as (planning, _):
        found = await search(books, planning, shelf.tenant, "rapport le plus récent")

    assert [each.path for each in found.results] == ["/new.md", "/old.md"]
    assert found.asked.recent


@pytest.mark.parametrize(
    "said",
    [
        "absent",
        "refused",
        "",
        "I cannot help with that.",
        "{not json}",
        "[1, 2]",
        plan("  "),
        plan("x" * 5000),
        plan("toll", "when the moon is full"),
        json.dumps({"query": "toll"}),
        json.dumps({"query": "toll", "when": "", "recent": "yes"}),
    ],
    ids=lambda said: said[:24].strip() or "nothing",
)
async def test_whatever_goes_wrong_the_question_s_own_results_are_the_answer(
    books: Library, said: str
) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/a.md", ["The toll is due."]))
    async with planner(lambda _: said) as (planning, _):
        found = await search(books, planning, shelf.tenant, "toll")
    nobody = Planner(None, None)  # pyright: ignore[reportArgumentType] # nobody is asked

    assert found == await search(books, nobody, shelf.tenant, "toll")
    assert ([each.path for each in found.results], found.planned) == (["/a.md"], "")


async def test_a_late_planner_is_not_waited_for_and_its_call_is_given_up(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/a.md", ["The toll is due."]))
    searching = Search(books.engine, books.embedder, exact_most=99)
    question = Question(tenant=shelf.tenant, wordings=("toll",), plan=True)
    payer = Payer(tenant=str(shelf.tenant), principal=str(shelf.tenant), key="")
    async with planner(lambda _: None) as (planning, asked):
        found = await PlannedSearch(searching, planning, patience=0.05).search(question, payer)
        if asked.requests:
            await asked.cancelled.wait()

    assert all(seconds <= 0.05 for seconds in asked.seconds), "it is the call's own deadline"
    assert [each.path for each in found.results] == ["/a.md"]
    raw = await searching.search(replace(question, plan=False), payer)
    assert found.results == raw.results
