"""Keys that seal, while replicas of two settings serve side by side."""

import pytest

from turnpike.database.envelope import Envelope, SealBrokenError

OLD, NEW = {"old": bytes([1] * 32)}, {"new": bytes([2] * 32)}
TENANT = "a-tenant"
DEPLOYS = (OLD, {**OLD, **NEW}, {**NEW, **OLD})


@pytest.mark.parametrize("deploy", range(1, len(DEPLOYS)))
def test_in_each_deploy_of_a_rotation_both_sides_open_what_the_other_seals(deploy: int):
    before, after = Envelope(DEPLOYS[deploy - 1]), Envelope(DEPLOYS[deploy])

    assert after.open(TENANT, before.seal(TENANT, "text")) == "text"
    assert before.open(TENANT, after.seal(TENANT, "text")) == "text"


def test_a_key_that_goes_in_front_at_once_shuts_out_who_has_it_not():
    sealed = Envelope({**NEW, **OLD}).seal(TENANT, "text")

    with pytest.raises(SealBrokenError):
        Envelope(OLD).open(TENANT, sealed)


def test_what_was_sealed_anew_opens_without_the_old_key():
    sealed = Envelope(OLD).seal(TENANT, "text")
    anew = Envelope({**NEW, **OLD}).reseal(TENANT, sealed)

    assert anew is not None
    assert Envelope(NEW).open(TENANT, anew) == "text"
