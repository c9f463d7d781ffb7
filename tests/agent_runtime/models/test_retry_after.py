"""How long a provider asks to wait, in whatever way it says so."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from multidict import CIMultiDict

from turnpike.agent_runtime.models.retry_after import LONGEST_SECONDS, retry_after


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "soon", "retry-after": "9"}, 9),
        ({"retry-after": "-1"}, 0),
        ({"retry-after": "1e9"}, LONGEST_SECONDS),
        ({"retry-after": "inf"}, LONGEST_SECONDS),
        ({"retry-after": "nan"}, LONGEST_SECONDS),
        ({"retry-after": ""}, None),
        ({"retry-after": "tomorrow"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, LONGEST_SECONDS),
    ],
)
def test_l7_the_wait_is_what_was_asked_for_within_bounds(
    headers: dict[str, str], seconds: float | None
):
    assert retry_after(headers) == seconds


@pytest.mark.parametrize(
    "mapping", [dict, httpx.Headers, CIMultiDict], ids=lambda each: each.__name__
)
@pytest.mark.parametrize("name", ["retry-after", "Retry-After", "RETRY-AFTER"])
def test_l7_a_wait_is_found_in_any_mapping(
    mapping: Callable[[dict[str, str]], Mapping[str, str]], name: str
):
    assert retry_after(mapping({"other": "1", name: "7"})) == 7
    assert retry_after(mapping({f"{name}-ms": "7000"})) == 7


def test_l7_a_date_is_reckoned_from_now():
    moment = datetime.now(UTC) + timedelta(seconds=30)

    wait = retry_after({"retry-after": format_datetime(moment, usegmt=True)})

    assert wait is not None
    assert 25 < wait <= 30
