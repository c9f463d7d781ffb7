"""An image holds what its service needs, and no more than it declares."""

import subprocess
from collections.abc import Callable

import pytest

from tests.helm.image import ROOT, Image

# Whoever is first builds the images.
pytestmark = pytest.mark.timeout(300)

SERVICES = sorted(path.parent.name for path in ROOT.glob("services/*/Dockerfile"))

IMPORT_EVERYTHING = """
import importlib, pkgutil, turnpike
def fail(name): raise
names = [module.name for module in pkgutil.walk_packages(turnpike.__path__, "turnpike.", fail)]
for name in names:
    importlib.import_module(name)
print(*sorted({name.split(".")[1] for name in names}))
"""


def test_every_service_that_is_deployed_has_an_image():
    assert SERVICES == ["agent-runtime", "embedding", "gatekeeper", "gateway", "tool-registry"]


@pytest.mark.parametrize("service", SERVICES)
def test_every_module_imports_what_its_own_image_holds(service: str, image: Callable[[str], Image]):
    """A dependency that is used and not declared is found here, not in production."""
    built = image(service)
    imported = subprocess.run(
        ["python", "-Wignore", "-c", IMPORT_EVERYTHING],
        cwd=built.folder,
        env=built.environ(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert imported.returncode == 0, imported.stderr
    ours = set(imported.stdout.split())
    libraries = {"api", "blobs", "database", "egress", "rpc", "telemetry"}
    assert ours <= {*libraries, service.replace("-", "_")}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_runs_as_an_ordinary_user_and_starts_its_service(
    service: str, image: Callable[[str], Image]
):
    built = image(service)

    assert built.base.startswith("python:3.1")
    assert built.user == "10001:10001"
    assert built.command == ["python", "-m", f"turnpike.{service.replace('-', '_')}"]
