"""E7: how well searches find, over a corpus with judgements."""

from statistics import fmean

from tests.embedding.searching.corpus import documents, judgements, ndcg
from tests.embedding.searching.shelves import Library, Sheet
from turnpike.embedding.searching.model import Found


async def test_e7_both_together_find_better_than_meaning_or_words_alone(books: Library) -> None:
    shelf = await books.shelf()
    await shelf.add(*(Sheet(path, [text]) for path, text in documents()))
    both, meaning, words = list[float](), list[float](), list[float]()

    for judged in judgements():
        found = await books.search(shelf.tenant, judged.query, limit=100)
        both.append(ndcg([result.path for result in found.results], judged.grades))
        meaning.append(ndcg(ranked(found, "dense_rank"), judged.grades))
        words.append(ndcg(ranked(found, "text_rank"), judged.grades))

    print(
        f"nDCG@10: both {fmean(both):.3f}, meaning {fmean(meaning):.3f}, words {fmean(words):.3f}"
    )
    assert fmean(both) >= fmean(meaning)
    assert fmean(both) >= fmean(words)
    assert min(fmean(meaning), fmean(words)) > 0.3, "each alone finds something"


def ranked(found: Found, rank: str) -> list[str]:
    """Returns the paths of one of the two lists, in its order."""
    listed = [result for result in found.results if getattr(result, rank)]
    return [result.path for result in sorted(listed, key=lambda result: getattr(result, rank))]
