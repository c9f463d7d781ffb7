"""The locks pin, with hashes, everything that the members declare, and name no address."""

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
MEMBERS = {path.parent.name: path for path in ROOT.glob("[ls]*/*/pyproject.toml")}
IMAGES = sorted(path.parent.name for path in ROOT.glob("services/*/requirements.txt"))


@cache
def project(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


@cache
def pins(lock: Path) -> dict[str, Version]:
    pinned = re.findall(r"^([a-z0-9.-]+)==([^ ]+) ", lock.read_text(), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pinned}


def declared(member: str) -> list[Requirement]:
    """Returns what a member needs of others, through our own members too."""
    found: list[Requirement] = []
    for line in project(MEMBERS[member])["project"]["dependencies"]:
        requirement = Requirement(line)
        ours = requirement.name.removeprefix("turnpike-")
        found += declared(ours) if ours in MEMBERS else [requirement]
    return found


def group(name: str) -> list[Requirement]:
    found: list[Requirement] = []
    for item in project(ROOT / "pyproject.toml")["dependency-groups"][name]:
        found += [Requirement(item)] if isinstance(item, str) else group(item["include-group"])
    return found


def unmet(requirements: list[Requirement], lock: Path) -> list[str]:
    return [
        str(requirement)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate()
        if (version := pins(lock).get(canonicalize_name(requirement.name))) is None
        or version not in requirement.specifier
    ]


def test_the_suites_lock_is_fresh():
    everything = [need for member in MEMBERS for need in declared(member)] + group("dev")

    assert unmet(everything, ROOT / "requirements.txt") == [], "run `make lock`"


@pytest.mark.parametrize("service", IMAGES)
def test_an_images_lock_is_fresh(service: str):
    lock = ROOT / "services" / service / "requirements.txt"

    assert unmet(declared(service) + group("build"), lock) == [], "run `make lock`"


@pytest.mark.parametrize("service", IMAGES)
def test_an_image_runs_what_was_tested(service: str):
    tested, image = (
        pins(ROOT / where / "requirements.txt") for where in ("", MEMBERS[service].parent)
    )

    assert {name: image[name] for name in image if image[name] != tested.get(name)} == {}


def test_what_is_used_by_its_inside_is_of_one_version():
    needs = [need for member in MEMBERS for need in declared(member) if need.name == "litellm"]

    assert len({str(need.specifier) for need in needs}) == 1
    assert all(clause.operator == "==" for need in needs for clause in need.specifier)


@pytest.mark.parametrize("lock", ["requirements.txt", "services/*/requirements.txt"])
def test_a_lock_holds_hashes_and_no_address(lock: str):
    for path in ROOT.glob(lock):
        text = path.read_text()
        entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]

        assert [entry for entry in entries if "--hash=sha256:" not in entry] == []
        assert re.findall(r".*://.*|^-.*", text, re.MULTILINE) == []


def test_the_root_depends_on_every_member():
    names = {f"turnpike-{member}" for member in MEMBERS}

    assert set(project(ROOT / "pyproject.toml")["project"]["dependencies"]) == names
