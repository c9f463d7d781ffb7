"""Whose credential a model is asked with, for every mode and scope."""

import itertools

import pytest

from turnpike.agent_runtime.models.credentials import Keys, usable

MODES = ("", "OFF", "PREFERRED", "REQUIRED")
SCOPES = ("PERSON", "TENANT", "PLATFORM")
ALL = (("PERSON", "person's"), ("TENANT", "tenant's"))


def keys(person: str = "", tenant: str = "", **others: object) -> Keys:
    """A model of the platform with a key of its own, and a key of each owner's."""
    values: dict[str, object] = {
        "provider": "openai",
        "base_url": "",
        "scope": "PLATFORM",
        "sealed": "platform's",
        "own": ALL,
        **others,
    }
    return Keys(person_mode=person, tenant_mode=tenant, **values)  # pyright: ignore[reportArgumentType]


def sealed(of: Keys) -> list[str]:
    """What it may be asked with, in order."""
    return [each.sealed for each in usable(of)]


@pytest.mark.parametrize(
    ("person", "tenant", "asked"),
    [
        ("", "", ["person's", "tenant's", "platform's"]),
        ("PREFERRED", "PREFERRED", ["person's", "tenant's", "platform's"]),
        ("OFF", "OFF", ["platform's"]),
        ("OFF", "", ["tenant's", "platform's"]),
        ("", "OFF", ["person's", "platform's"]),
        ("REQUIRED", "", ["person's"]),
        ("REQUIRED", "OFF", ["person's"]),
        ("", "REQUIRED", ["person's", "tenant's"]),
        ("OFF", "REQUIRED", ["tenant's"]),
        ("REQUIRED", "REQUIRED", ["person's"]),
    ],
)
def test_the_nearest_key_comes_first_and_what_is_required_is_the_end(
    person: str, tenant: str, asked: list[str]
):
    assert sealed(keys(person, tenant)) == asked


@pytest.mark.parametrize("person", MODES)
@pytest.mark.parametrize("tenant", MODES)
@pytest.mark.parametrize("scope", SCOPES)
def test_what_is_required_never_ends_at_the_platform_s(person: str, tenant: str, scope: str):
    for own in itertools.chain.from_iterable(itertools.combinations(ALL, n) for n in range(3)):
        found = usable(keys(person, tenant, scope=scope, own=own, sealed="configured"))
        asked = {each.scope for each in found}
        if person == "REQUIRED":
            assert asked <= {"PERSON"}
        if tenant == "REQUIRED":
            assert "PLATFORM" not in asked
        if "REQUIRED" not in (person, tenant):
            assert "configured" in {each.sealed for each in found}


def test_what_is_required_and_is_not_there_is_nothing():
    assert sealed(keys(person="REQUIRED", own=ALL[1:])) == []
    assert sealed(keys(tenant="REQUIRED", own=())) == []


def test_a_person_s_own_configuration_is_lent_no_key_of_the_tenant_s():
    assert sealed(keys(scope="PERSON", sealed="")) == ["person's"]
    assert sealed(keys(scope="PERSON", sealed="mine", person="OFF")) == ["mine"]


def test_a_tenant_s_configuration_counts_as_the_tenant_s_own():
    of_tenant = keys(scope="TENANT", sealed="configured", tenant="REQUIRED")
    assert sealed(of_tenant) == ["person's", "tenant's", "configured"]
    assert [each.rank for each in usable(of_tenant)] == [0, 1, 1]


def test_no_key_at_all_is_shown_where_there_is_none():
    assert sealed(keys(sealed="", own=())) == [""]
    assert sealed(keys(sealed="", base_url="http://in-house/v1", own=ALL[:1])) == ["person's", ""]
    assert sealed(keys(sealed="", own=ALL[:1])) == ["person's"]


def test_the_built_in_model_needs_no_key():
    built_in = keys("REQUIRED", "REQUIRED", provider="scripted", sealed="", own=())
    assert sealed(built_in) == [""]
