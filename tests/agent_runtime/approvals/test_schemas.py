"""Values against schemas: what is checked, and for how long."""

import time
from typing import Any

from turnpike.agent_runtime.approvals.schemas import problems

SCHEMA = '{"type": "object", "properties": {"tag": {"type": "string"}}}'


class Standing(dict[str, Any]):
    """A value at which the process stands still, for longer than a check may work."""

    def __contains__(self, name: object) -> bool:
        time.sleep(0.3)
        return super().__contains__(name)


def test_a_process_that_stands_still_refuses_nothing_that_fits():
    assert problems(SCHEMA, Standing(tag="fits")) == []
    assert problems(SCHEMA, Standing(tag=1)) == ["$.tag: 1 is not of type 'string'"]
