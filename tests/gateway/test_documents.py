"""How the edge writes what others gave it."""

import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from turnpike.gateway.documents import rfc3339


@pytest.mark.parametrize(
    "time",
    [
        "2026-11-21T05:00:00.000001Z",
        "1969-12-31T23:59:59.500000Z",
        "0457-10-10T00:36:25.000000Z",
        "0001-01-01T00:00:00.000000Z",
        "9999-12-31T23:59:59.999999Z",
    ],
)
def test_a_time_has_four_digits_of_year_and_six_of_second(time: str):
    stamp = Timestamp()
    stamp.FromJsonString(time)

    assert rfc3339(stamp) == time
