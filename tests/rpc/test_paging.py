"""Page tokens, as whoever pages through a list relies on it."""

from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from turnpike.rpc.errors import InvalidArgumentError
from turnpike.rpc.paging import cursor_of, moment, number, page_size, page_token, text


def test_a_token_leads_back_to_its_cursor():
    time, id = datetime.now(UTC), uuid4()

    assert cursor_of(page_token(time, id), moment, UUID) == (time, id)


def test_the_first_page_has_no_cursor():
    assert cursor_of("", text) is None


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "%%%",
        "ä",
        page_token("a", "b"),
        page_token("today"),
        page_token(),
        "bnVsbA",  # null
        "W251bGxd",  # [null]
        "WzFd",  # [1]
        "eyJhIjoxfQ",  # {"a":1}
    ],
)
def test_what_is_no_token_of_the_list_is_refused(token: str):
    with pytest.raises(InvalidArgumentError) as caught:
        cursor_of(token, moment)

    assert caught.value.fields == (("page_token", "is not a token of this list"),)


@pytest.mark.parametrize(
    ("token", "parser"),
    [
        (page_token("a\0b"), text),
        (page_token(2**63), number),
        (page_token(-(2**63) - 1), number),
        (page_token("1.5"), number),
        (page_token("2026-01-01T00:00:00"), moment),
        (page_token("0001-01-01T00:00:00+10:00"), moment),
    ],
)
def test_a_cursor_that_no_database_takes_is_refused(token: str, parser: Callable[[str], object]):
    with pytest.raises(InvalidArgumentError):
        cursor_of(token, parser)


@pytest.mark.parametrize(("requested", "given"), [(0, 50), (1, 1), (500, 500), (501, 500)])
def test_a_page_is_of_the_size_asked_for_within_bounds(requested: int, given: int):
    assert page_size(requested) == given
