"""What a search finds, where, and how much of it is told."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import text

from tests.embedding.searching.shelves import Library, Sheet
from tests.embedding.serving import word_pieces
from turnpike.database.tenancy import tenant_transaction
from turnpike.embedding.backends import minilm
from turnpike.embedding.index import index
from turnpike.embedding.searching.indexes import shared_name, tenant_name
from turnpike.embedding.searching.model import (
    CollectionMissingError,
    Filter,
    Found,
    Plan,
    Question,
)
from turnpike.embedding.searching.search import Search
from turnpike.rpc.errors import InvalidArgumentError

TOLL = "Motorists pay a fee before they may use the road."
CODE = "The spare part has the number QX-7731."
FISH = "Salmon swim up the river in autumn."


def paths(found: Found) -> list[str]:
    return [result.path for result in found.results]


async def test_a_search_finds_by_meaning_and_by_words(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/toll.md", [TOLL]), Sheet("/code.md", [CODE]), Sheet("/fish.md", [FISH]))

    by_meaning = await books.search(shelf.tenant, "toll charge for drivers")
    by_words = await books.search(shelf.tenant, "QX-7731")

    assert paths(by_meaning)[0] == "/toll.md"
    assert by_meaning.results[0].text_rank == 0
    assert paths(by_words)[0] == "/code.md"
    assert by_words.results[0].text_rank == 1
    assert by_words.plan is Plan.EXACT


async def test_scores_are_the_reciprocal_ranks_of_both_lists(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/toll.md", [TOLL]), Sheet("/fish.md", [FISH]))

    found = await books.search(shelf.tenant, "salmon river")

    fish, toll = found.results
    assert (fish.dense_rank, fish.text_rank) == (1, 1)
    assert fish.score == pytest.approx(2 / 61)
    assert (toll.dense_rank, toll.text_rank) == (2, 0)
    assert toll.score == pytest.approx(1 / 62)


async def test_planned_wordings_are_searched_beside_the_query(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/toll.md", [TOLL]), Sheet("/fish.md", [FISH]), Sheet("/c.md", [CODE]))

    found = await books.search(shelf.tenant, "salmon", "road fee for motorists")

    assert set(paths(found)[:2]) == {"/fish.md", "/toll.md"}


async def test_a_result_says_where_it_is_from(books: Library) -> None:
    shelf = await books.shelf()
    ids = await shelf.add(Sheet("/a/fish.md", [TOLL, FISH]))

    (result, *_) = (await books.search(shelf.tenant, "salmon")).results

    assert (result.document, result.collection) == (ids["/a/fish.md"], "papers")
    assert (result.revision, result.position, result.first_line) == (1, 1, 2)
    assert "\n".join([TOLL, FISH])[result.start : result.end] == result.text == FISH


async def test_each_tenant_finds_its_own_alone(books: Library) -> None:
    mine, other = await books.shelf(), await books.shelf()
    await mine.add(Sheet("/mine.md", [FISH]))
    await other.add(Sheet("/other.md", [FISH]))

    assert paths(await books.search(mine.tenant, "salmon")) == ["/mine.md"]
    assert (await books.search(uuid4(), "salmon")).results == []


async def test_filters_narrow_by_everything_that_is_said_of_a_document(books: Library) -> None:
    shelf = await books.shelf()
    other = await books.shelf("others", tenant=shelf.tenant)
    await other.add(Sheet("/x.md", [FISH]))
    await shelf.add(
        Sheet("/a/one.md", [FISH], metadata={"year": "2026", "by": "ada"}),
        Sheet("/a/deep/two.txt", [FISH], media_type="text/plain", metadata={"year": "2025"}),
        Sheet("/ab/three.md", [FISH]),
    )

    async def found(**conditions: object) -> set[str]:
        return set(paths(await books.search(shelf.tenant, "salmon", **conditions)))  # pyright: ignore[reportArgumentType]

    assert await found(collections=("others",)) == {"/x.md"}
    assert await found(folder="/a") == {"/a/one.md", "/a/deep/two.txt"}
    assert await found(media_types=("text/plain",)) == {"/a/deep/two.txt"}
    assert await found(metadata={"year": "2026"}) == {"/a/one.md"}
    assert await found(folder="/a", metadata={"year": "2026", "by": "bob"}) == set()
    with pytest.raises(CollectionMissingError):
        await found(collections=("papers", "nothing"))


@pytest.mark.parametrize(
    ("zone", "found"),
    [
        ("UTC", ["/noon.md", "/late.md"]),
        ("Europe/Berlin", ["/early.md", "/noon.md"]),
        ("America/New_York", ["/late.md", "/noon.md"]),
    ],
    ids=["utc", "east", "west"],
)
async def test_e8_today_is_the_callers_day_to_its_last_instant(
    books: Library, zone: str, found: list[str]
) -> None:
    shelf = await books.shelf()
    await shelf.add(
        # In Berlin it is the 21st already, in UTC not yet.
        Sheet("/early.md", [FISH], updated=datetime(2026, 11, 20, 23, 30, tzinfo=UTC)),
        Sheet("/noon.md", [FISH], updated=datetime(2026, 11, 21, 12, tzinfo=UTC)),
        # In Berlin it is the 22nd already.
        Sheet("/late.md", [FISH], updated=datetime(2026, 11, 21, 23, 59, 59, 999999, tzinfo=UTC)),
    )
    day = date(2026, 11, 21)

    result = await books.search(shelf.tenant, "salmon", since=day, until=day, time_zone=zone)

    assert sorted(paths(result)) == sorted(found)


async def test_a_time_zone_that_is_none_is_refused(books: Library) -> None:
    shelf = await books.shelf()

    with pytest.raises(InvalidArgumentError, match=r"filter\.time_zone"):
        await books.search(shelf.tenant, "x", since=date(2026, 1, 1), time_zone="Mars/Olympus")


async def test_the_newest_come_first_when_that_is_asked(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(
        Sheet("/old.md", [FISH], updated=datetime(2020, 1, 1, tzinfo=UTC)),
        Sheet("/new.md", ["Something of salmon"], updated=datetime(2026, 1, 1, tzinfo=UTC)),
    )

    assert paths(await books.search(shelf.tenant, FISH)) == ["/old.md", "/new.md"]
    assert paths(await books.search(shelf.tenant, FISH, recent=True)) == ["/new.md", "/old.md"]


async def test_what_a_query_says_of_time_is_read_in_the_callers_time_zone(books: Library) -> None:
    shelf, now = await books.shelf(), datetime.now(UTC)
    # On the other side of the world's date line it is another day, whatever the hour is.
    zones = "Pacific/Kiritimati", "Etc/GMT+12"
    east, west = (now + timedelta(hours=hours) for hours in (14, -12))
    await shelf.add(
        Sheet("/now.md", [FISH], updated=now),
        Sheet("/before.md", [FISH], updated=now - timedelta(days=3)),
    )

    found = [
        await books.search(shelf.tenant, "salmon today", read_time=True, time_zone=zone)
        for zone in zones
    ]
    newest = await books.search(shelf.tenant, "newest notes of salmon", read_time=True)

    assert [paths(each) for each in found] == [["/now.md"]] * 2
    assert [each.asked.filter.since for each in found] == [east.date(), west.date()]
    assert (newest.asked.recent, paths(newest)) == (True, ["/now.md", "/before.md"])


async def test_words_are_reduced_as_the_collections_language_does(books: Library) -> None:
    german = await books.shelf("de", language="german")
    english = await books.shelf("en", tenant=german.tenant)
    await german.add(Sheet("/haus.md", ["Die Häuser am Ufer wurden verkauft."]))
    await english.add(Sheet("/house.md", ["The houses on the shore were sold."]))

    def ranks(found: Found) -> dict[str, int]:
        return {result.path: result.text_rank for result in found.results}

    assert ranks(await books.search(german.tenant, "Haus")) == {"/haus.md": 1, "/house.md": 0}
    assert ranks(await books.search(german.tenant, "house")) == {"/haus.md": 0, "/house.md": 1}


async def test_e9_results_have_the_tokens_asked_for_at_most(books: Library) -> None:
    shelf = await books.shelf()
    long = "Salmon " + "and many other fish of every kind " * 10
    await shelf.add(Sheet("/f.md", [FISH, long, "Salmon again."]))

    found = await books.search(shelf.tenant, "salmon", max_tokens=20)

    counted = [len(ids) - 2 for ids in word_pieces().encode([r.text for r in found.results])]
    assert [result.tokens for result in found.results] == counted
    assert {result.text for result in found.results} == {FISH, "Salmon again."}
    assert found.tokens == sum(counted) <= 20


def spread(n: int, of: int) -> list[list[float]]:
    """Returns vectors that are all different, and none of which is anything's meaning."""
    return [[float((i * 7919 + j * 104729 + n) % 997) for j in range(384)] for i in range(of)]


GIVES_UP = text(
    "SELECT set_config('hnsw.ef_search', '5', true),"
    " set_config('hnsw.iterative_scan', 'off', true),"
    " set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true)"
)
"""Has the index come back with five of everybody's, whatever the filter lets through."""


async def test_e7_every_plan_finds_as_many_as_there_are(
    books: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    large, small = await books.shelf(), await books.shelf()
    await large.add(Sheet("/large.md", [f"text {n}" for n in range(60)], vectors=spread(1, 60)))
    await small.add(
        Sheet("/small.md", [f"part {n}" for n in range(30)], vectors=spread(2, 30)),
        Sheet("/a/few.md", [f"piece {n}" for n in range(12)], vectors=spread(3, 12)),
    )
    exact = await books.search(small.tenant, "anything", exact_most=1000)
    assert (exact.plan, len(exact.results)) == (Plan.EXACT, 10)

    made = [line async for line in index(books.urls, above=50)]
    assert f"made {tenant_name(large.tenant, 'all-minilm-l6-v2')}" in made
    assert f"made {shared_name('all-minilm-l6-v2')}" in made

    own = await books.search(large.tenant, "anything", exact_most=50)
    shared = await books.search(small.tenant, "anything", exact_most=20)
    filtered = await books.search(small.tenant, "anything", exact_most=20, folder="/a")
    assert (own.plan, len(own.results)) == (Plan.PARTIAL_INDEX, 10)
    assert (shared.plan, len(shared.results)) == (Plan.ITERATIVE, 10)
    assert len(filtered.results) == 10
    assert {result.path for result in filtered.results} == {"/a/few.md"}

    with monkeypatch.context() as patched:
        patched.setattr("turnpike.embedding.searching.rows._SETTINGS", GIVES_UP)
        few = await books.search(small.tenant, "anything", exact_most=20, folder="/a")
    assert (few.plan, len(few.results)) == (Plan.EXACT, 10), "what gave up is not the answer"

    again = [line async for line in index(books.urls, above=50)]
    gone = [line async for line in index(books.urls, above=1000)]
    assert again == []
    assert f"dropped {tenant_name(large.tenant, 'all-minilm-l6-v2')}" in gone


async def test_words_are_searched_by_an_index_within_the_transactions_tenant(
    books: Library,
) -> None:
    mine, other = await books.shelf(), await books.shelf()
    await mine.add(Sheet("/mine.md", [FISH]))
    await other.add(Sheet("/other.md", [FISH]))
    asked = text(
        "SELECT id FROM chunks_with('english', 'salmon', CAST(:collections AS uuid[]),"
        " CAST(:models AS text[]), NULL, 10, 10)"
    ).bindparams(collections=[mine.id, other.id], models=[minilm.NAME] * 2)

    async with tenant_transaction(books.engine, mine.tenant) as connection:
        found = (await connection.execute(asked)).all()
    async with books.engine.connect() as connection:
        nobody = (await connection.execute(asked)).all()

    assert len(found) == 1
    assert nobody == []


async def test_what_has_all_words_is_found_among_many_that_have_one(books: Library) -> None:
    shelf = await books.shelf()
    many = [f"salmon number {n}" for n in range(150)]
    await shelf.add(Sheet("/many.md", [*many, "river salmon"], vectors=spread(4, 151)))

    found = await books.search(shelf.tenant, "salmon river")

    best = min(found.results, key=lambda result: result.text_rank or 999)
    assert best.text == "river salmon"


async def test_a_collection_that_is_new_or_gone_is_searched_or_not_at_once(
    books: Library,
) -> None:
    shelf = await books.shelf("old")
    await shelf.add(Sheet("/old.md", [FISH]))
    search = Search(books.engine, books.embedder, exact_most=1000)
    question = Question(tenant=shelf.tenant, wordings=("salmon",))
    assert paths(await search.search(question, None)) == ["/old.md"]

    other = await books.shelf("new", tenant=shelf.tenant, language="german")
    await other.add(Sheet("/new.md", [FISH]))
    both = await search.search(question, None)
    named = replace(question, filter=Filter(collections=("new",)))
    alone = await search.search(named, None)
    await books.tables.execute("DELETE FROM collections WHERE id = $1", other.id)
    after = await search.search(question, None)

    assert sorted(paths(both)) == ["/new.md", "/old.md"]
    assert all(result.text_rank for result in both.results), "by words in each"
    assert paths(alone) == ["/new.md"]
    assert paths(after) == ["/old.md"]
    with pytest.raises(CollectionMissingError):
        await search.search(named, None)
