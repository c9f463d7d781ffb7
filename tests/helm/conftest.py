import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.helm.image import Image, build


@pytest.fixture(scope="session")
def image() -> Iterator[Callable[[str], Image]]:
    """Builds each service's image once."""
    folder = Path(tempfile.mkdtemp(prefix="turnpike-images-"))
    try:
        yield cache(lambda service: build(service, folder / service))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
