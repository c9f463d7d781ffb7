"""The edge keeps the word of its OpenAPI document. `python -m tests.faults.fuzzing` tries more."""

from pathlib import Path

import pytest

from tests.doubles.processes import Double
from tests.e2e.edge import Edge
from tests.e2e.fuzzing import fuzz
from tests.e2e.suite import Suite


@pytest.mark.timeout(900)  # thousands of requests, on a machine that may be slow
async def test_the_edge_answers_as_it_documents(
    suite: Suite, stranger: Edge, model: Double, tmp_path: Path
):
    phases = ("examples", "fuzzing")
    well, printed = await fuzz(suite, stranger, model, tmp_path, phases=phases, examples=1)

    assert well, printed
