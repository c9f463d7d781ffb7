"""Which fault an exception tells of, found in what caused it."""

import errno
import socket
import ssl
from collections.abc import Iterator

from turnpike.egress.addresses import AddressRefusedError
from turnpike.tool_registry.model import Fault

_FAULTS: tuple[tuple[type[BaseException], Fault], ...] = (
    (AddressRefusedError, Fault.ADDRESS_REFUSED),
    (socket.gaierror, Fault.DNS),
    (ssl.SSLError, Fault.TLS),
    (ConnectionRefusedError, Fault.CONNECTION_REFUSED),
    (TimeoutError, Fault.TIMEOUT),
    (FileNotFoundError, Fault.COMMAND),
    (PermissionError, Fault.COMMAND),
    (ConnectionError, Fault.CONNECTION_LOST),
)
_UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ECONNREFUSED})
# The SDK's HTTP library wraps; its own classes say by their names what they stand for.
_NAMES = {
    "ConnectTimeout": Fault.TIMEOUT,
    "ReadTimeout": Fault.TIMEOUT,
    "InvalidURL": Fault.ADDRESS_REFUSED,
}


def fault_of(error: BaseException) -> Fault:
    """Returns the fault that an exception, or what it came from, tells of."""
    for each in _causes(error):
        for kind, fault in _FAULTS:
            if isinstance(each, kind):
                return fault
        if isinstance(each, OSError) and each.errno in _UNREACHABLE:
            return Fault.CONNECTION_REFUSED
        if type(each).__name__ in _NAMES:
            return _NAMES[type(each).__name__]
    return Fault.CONNECTION_LOST


def _causes(error: BaseException) -> Iterator[BaseException]:
    known: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if id(each) in known:
            continue
        known.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        waiting.extend(cause for cause in (each.__context__, each.__cause__) if cause is not None)
