"""Where resources' documents are, and which resources are read."""

import pytest

from turnpike.embedding.knowledge import paths
from turnpike.embedding.sources.uris import Paths, is_wanted


@pytest.mark.parametrize(
    ("uri", "media_type", "path"),
    [
        ("file:///a/b.md", "text/markdown", "/w/a/b.md"),
        ("https://example.org/docs/", "text/html; charset=utf-8", "/w/example.org/docs.html"),
        ("wiki:Home%20page", "text/plain", "/w/Home page.txt"),
        ("a://x/../../etc/%2e%2e/passwd", "", "/w/x/etc/passwd"),
        ("a:%00%0a%2F", "", "/w/___"),
        ("page?id=3", "text/markdown", "/w/page?id=3.md"),
    ],
    ids=["file", "https", "decoded", "dots", "control", "query"],
)
def test_a_uri_has_a_path(uri: str, media_type: str, path: str):
    assert Paths("/w", []).of(uri, media_type) == path
    assert paths.parse(path) == path


def test_no_two_items_are_at_one_path_or_within_one_another():
    places = Paths("/w", ["/w/taken.md"])

    found = [places.of(uri, "") for uri in ("a:taken.md", "b:taken.md", "a:x/y", "a:x", "a:x/y/z")]

    assert len(set(found)) == 5
    assert "/w/taken.md" not in found
    for path in found:
        assert paths.parse(path) == path
        assert not set(found).intersection(paths.parents(path))


def test_a_path_is_never_too_long_to_be_kept():
    path = Paths("/w", []).of("file:///" + "/".join(["ä" * 200] * 100) + ".md", "")

    assert len(path.encode()) < 1000
    assert paths.parse(path) == path
    assert path.endswith(".md")


def test_patterns_say_what_is_read():
    assert is_wanted("file:///a/b.md", (), ())
    assert is_wanted("file:///a/b.md", ("file:*.md",), ("*/c/*",))
    assert not is_wanted("file:///a/c/b.md", ("file:*.md",), ("*/c/*",))
    assert not is_wanted("file:///a/b.txt", ("file:*.md", "a"), ())
    assert not is_wanted("ab", ("ab*b",), ())
    # Not in time that doubles with each star.
    assert not is_wanted("a" * 2000, ("*a" * 200 + "b",), ())
