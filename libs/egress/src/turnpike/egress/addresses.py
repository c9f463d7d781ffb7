"""Which addresses may be connected to."""

import asyncio
import errno
import ipaddress
import socket
from ipaddress import IPv4Address, IPv6Address

# Their low 32 bits are an IPv4 address, which is the one that counts.
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_COMPATIBLE = ipaddress.ip_network("::/96")
# ISATAP: so the interface's half begins, of an address that is in no other way special.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)

# Whatever a release of Python says of them:
# where a network's own NAT64 has the IPv4 address is not to be told from outside,
_NAT64_LOCAL = ipaddress.ip_network("64:ff9b:1::/48")
# these are kept for protocols, and one cloud's metadata is here,
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")
# and these are nobody's on the internet: sites' own, once; relays; examples.
_NOT_GLOBAL = tuple(
    ipaddress.ip_network(each) for each in ("fec0::/10", "192.88.99.0/24", "3fff::/20")
)

_LOOKUP_SECONDS = 5.0


class AddressRefusedError(OSError):
    """An address is not one that may be connected to."""

    def __init__(self, message: str) -> None:
        super().__init__(errno.EACCES, message)


def check_address(address: str, *, allow_private: bool) -> None:
    """Raises `AddressRefusedError` unless `address` may be connected to.

    Link-local addresses (where clouds keep their metadata), multicast and
    unspecified ones never may; private and loopback ones only with
    `allow_private`. An IPv6 address that carries an IPv4 address is judged by
    that one.
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    for candidate in _embedded(parsed) or [parsed]:
        if _is_forbidden(candidate) or not (allow_private or _is_global(candidate)):
            raise AddressRefusedError(f"the address {address} is refused")


async def resolve(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Returns the addresses of `host` that may be connected to, best first.

    Raises:
        AddressRefusedError: None of them may.
        OSError: The name does not resolve.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_LOOKUP_SECONDS):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    refusal = AddressRefusedError(f"{host!r} has no address")
    vetted: list[str] = []
    for address in addresses:
        try:
            check_address(address, allow_private=allow_private)
        except AddressRefusedError as error:
            refusal = error
        else:
            vetted.append(address)
    if not vetted:
        raise refusal
    return vetted


def _is_forbidden(address: IPv4Address | IPv6Address) -> bool:
    return (
        address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or (address.is_reserved and not address.is_loopback)
        or address in _PROTOCOLS
        or address in _NAT64_LOCAL
    )


def _is_global(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not any(address in network for network in _NOT_GLOBAL)


def _embedded(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    if isinstance(address, IPv4Address):
        return []
    carried: list[IPv4Address | IPv6Address | None]
    carried = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    # `::1` lies in the range of addresses that were once called compatible.
    in_low_bits = address in _NAT64 or address in _COMPATIBLE
    low = IPv4Address(int(address) & 0xFFFFFFFF)
    if in_low_bits and not (address.is_loopback or address.is_unspecified):
        carried.append(low)
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        carried += [low, address]
    return [found for found in carried if found is not None]
