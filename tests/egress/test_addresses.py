"""Which addresses may be connected to, as an operator relies on it."""

import pytest

from turnpike.egress.addresses import AddressRefusedError, check_address, resolve

PUBLIC = [
    "8.8.8.8",
    "2606:4700::1111",
    "64:ff9b::808:808",
    "2002:808:808::1",
    "::ffff:8.8.8.8",
    "2606:4700::5efe:8.8.8.8",
]
PRIVATE = [
    "127.0.0.1",
    "::1",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "fd00::1",
    "::ffff:10.0.0.1",
    "::ffff:127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::",
    "::10.0.0.1",
    "fec0::1",
    "192.88.99.1",
    "3fff::1",
    "2606:4700::5efe:10.0.0.1",
    "2606:4700::200:5efe:10.0.0.1",
]
NEVER = [
    "169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::808:808",
    "64:ff9b:1:a9fe:a9:fe00:808:808",
    "2606:4700::5efe:169.254.169.254",
    "2002:a9fe:a9fe::1",
    "0.0.0.0",
    "::",
    "224.0.0.1",
    "ff02::1",
    "240.0.0.1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_may_be_reached(address: str):
    check_address(address, allow_private=False)


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_may_be_reached_only_when_allowed(address: str):
    check_address(address, allow_private=True)

    with pytest.raises(AddressRefusedError):
        check_address(address, allow_private=False)


@pytest.mark.parametrize("address", NEVER)
def test_metadata_and_meaningless_addresses_are_never_reached(address: str):
    with pytest.raises(AddressRefusedError):
        check_address(address, allow_private=True)


async def test_a_name_is_judged_by_what_it_resolves_to():
    assert "127.0.0.1" in await resolve("localhost", 80, allow_private=True)

    with pytest.raises(AddressRefusedError):
        await resolve("localhost", 80, allow_private=False)
