"""What files are by their names, and how they are divided."""

import pytest

from turnpike.embedding.knowledge import kinds
from turnpike.embedding.model import Strategy


@pytest.mark.parametrize(
    ("path", "media_type", "strategy"),
    [
        ("/a/Makefile", "text/plain", Strategy.RECURSIVE),
        ("/LICENSE", "text/plain", Strategy.RECURSIVE),
        ("/nginx.conf", "text/plain", Strategy.RECURSIVE),
        ("/main.zig", "text/x-source", Strategy.CODE),
        ("/Main.KT", "text/x-kotlin", Strategy.CODE),
        ("/readme.md", "text/markdown", Strategy.TABLE),
    ],
    ids=lambda value: str(value),
)
def test_a_file_is_what_its_name_says(path: str, media_type: str, strategy: Strategy) -> None:
    assert kinds.media_type_of("application/octet-stream", path) == media_type
    assert kinds.is_text(media_type)
    assert kinds.strategy_for(media_type) is strategy


def test_what_no_name_tells_is_no_text() -> None:
    assert not kinds.is_text(kinds.media_type_of("", "/a.bin"))
    assert kinds.media_type_of("no type", "/a.md") == ""
