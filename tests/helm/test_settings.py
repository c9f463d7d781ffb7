"""The chart, its README and the services' settings speak of the same names."""

import importlib
import re
from typing import Any

import pytest

from tests.helm.chart import CHART, container, render, values_of

SERVICES = ("agent-runtime", "embedding", "gatekeeper", "gateway", "tool-registry")
RELEASE = render(values_of(CHART / "ci" / "full-values.yaml"))
README = (CHART / "README.md").read_text()


def settings(service: str) -> dict[str, Any]:
    """Returns a service's settings by the variables that set them."""
    module = importlib.import_module(f"turnpike.{service.replace('-', '_')}.settings")
    prefix = service.upper().replace("-", "_")
    return {
        f"{prefix}_{name.upper()}": setting
        for name, setting in module.Settings.model_fields.items()
    }


def rendered(service: str) -> set[str]:
    pod = RELEASE.of_kind("Deployment")[service]
    return {item["name"] for item in container(pod)["env"]}


def secret(service: str) -> set[str]:
    (row,) = re.findall(rf"^\| `turnpike-{service}` \| (.*) \|$", README, re.MULTILINE)
    return set(re.findall(r"`([A-Z_]+)`", row))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_knows_every_variable_that_it_is_given(service: str):
    assert (rendered(service) | secret(service)) - set(settings(service)) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_given_everything_that_it_needs(service: str):
    needed = {name for name, setting in settings(service).items() if setting.is_required()}

    assert needed - rendered(service) - secret(service) == set()


@pytest.mark.parametrize("service", SERVICES)
def test_values_name_the_keys_of_each_secret(service: str):
    values = (CHART / "values.yaml").read_text()

    assert {name for name in secret(service) if name not in values} == set()
