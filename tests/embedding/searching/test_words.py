"""Which chunks words find, and which of them are looked up."""

from uuid import UUID

from sqlalchemy import text

from tests.embedding.searching.shelves import Library, Sheet, Shelf
from turnpike.database.tenancy import tenant_transaction

TEXTS = (
    "Salmon swim up the river in autumn.",
    "The river has a well-known toll bridge.",
    "Nobody knows the bridge of the toll, well.",
    r"O'Hara's path is C:\salmon\autumn.",
    "See example.org/o'hara for more.",
    "The spare part has the number QX-7731.",
    "A part that is spare.",
)
COUNTS = {
    "salmon": 2,
    "salmon bridge": 4,
    "salmon or spare": 4,
    '"spare part"': 1,
    '"spare part" river': 3,
    "well-known": 1,
    "river -salmon": 1,
    "salmon or bridge -autumn": 4,
    'bridge -"toll bridge"': 1,
    "QX-7731": 1,
    "O'Hara's": 1,
    "example.org/o'hara": 1,
    "C:\\salmon\\autumn": 1,
    "the": 0,
    "zzzz": 0,
}
"""How many of the texts have what is asked."""

MOST = 50
_ASKED = text(
    "SELECT c.text FROM chunks_with('english', :words, CAST(:collections AS uuid[]),"
    " CAST(ARRAY[NULL] AS text[]), NULL, 600, :most) w JOIN chunks c ON c.id = w.id"
)
_MATCHED = text("SELECT text FROM chunks WHERE terms @@ any_word('english', :words)")
_MANY = """
INSERT INTO chunks (tenant, id, collection, document, model, digest, headings, header, text,
  tokens, embedding, terms, live)
SELECT tenant, gen_random_uuid(), collection, document, model, convert_to(word || n, 'utf8'), '{}',
  '', word, 1, embedding, to_tsvector('english', word), true
FROM (SELECT * FROM chunks WHERE tenant = $1 LIMIT 1) c, generate_series(1, $3::int) AS n,
  (SELECT $2::text AS word) w
"""


async def found(books: Library, shelf: Shelf, words: str) -> list[str]:
    values = {"words": words, "collections": [shelf.id], "most": MOST}
    async with tenant_transaction(books.engine, shelf.tenant) as connection:
        return sorted((await connection.execute(_ASKED, values)).scalars())


async def shelved(books: Library) -> Shelf:
    """Returns a collection with the texts above."""
    shelf = await books.shelf()
    await shelf.add(*(Sheet(f"/{n}.md", [each]) for n, each in enumerate(TEXTS)))
    return shelf


async def matched(books: Library, tenant: UUID, words: str) -> list[str]:
    """Returns what has one of the words, by comparing all."""
    async with tenant_transaction(books.engine, tenant) as connection:
        return sorted((await connection.execute(_MATCHED, {"words": words})).scalars())


async def test_words_find_what_a_match_of_every_chunk_finds(books: Library) -> None:
    shelf = await shelved(books)
    for words, count in COUNTS.items():
        assert await found(books, shelf, words) == await matched(books, shelf.tenant, words), words
        assert len(await found(books, shelf, words)) == count, words


async def test_what_is_only_to_be_absent_finds_nothing(books: Library) -> None:
    assert await found(books, await shelved(books), "-salmon") == []


async def test_frequent_words_are_left_out_where_others_find_enough(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(Sheet("/one.md", ["one"]))
    for words, count in (("frequent", 2_100), ("seldom", MOST + 10), ("unique", MOST - 10)):
        await books.tables.execute(_MANY, shelf.tenant, words, count)
    await books.tables.execute("ANALYZE chunks")

    assert await found(books, shelf, "frequent seldom") == ["seldom"] * MOST
    few = await found(books, shelf, "frequent unique")
    assert len(few) == MOST, "as many as are wanted, if there are so many"
    assert await found(books, shelf, "frequent") == ["frequent"] * MOST
    assert await found(books, shelf, "frequent zzzz") == ["frequent"] * MOST
